/* Writes on standard error without an end and without a newline. */
#include "speak.h"
#include <unistd.h>

int main(int argc, char **argv) {
    begin(argv[0]);
    data(0, "one");
    for (int n = 0; n < 64; n++) write(2, line, sizeof line);
    answer("{\"finish\":\"stop\",\"items\":1}");
    next_request();
    return 0;
}

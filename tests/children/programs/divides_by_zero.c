/* Divides by zero in the middle of its answer. */
#include "speak.h"
#include <signal.h>

int main(int argc, char **argv) {
    begin(argv[0]);
    data(0, "one");
    raise(SIGFPE); /* what the division does on most processors */
    return 0;
}

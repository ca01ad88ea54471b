/* Sends itself SIGSTOP and is never heard of again. */
#include "speak.h"
#include <signal.h>
#include <unistd.h>

int main(int argc, char **argv) {
    begin(argv[0]);
    data(0, "one");
    raise(SIGSTOP);
    pause();
    return 0;
}

/* Ignores SIGTERM, closes its error output, and waits for ever. */
#include "speak.h"
#include <signal.h>
#include <unistd.h>

int main(int argc, char **argv) {
    begin(argv[0]);
    data(0, "one");
    signal(SIGTERM, SIG_IGN);
    close(2);
    for (;;) pause();
}

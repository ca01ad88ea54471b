/* Starts copies of itself that do the same. */
#include "speak.h"
#include <unistd.h>

int main(int argc, char **argv) {
    begin(argv[0]);
    data(0, "one");
    for (;;) {
        if (fork() < 0) {
            perror("fork");
            exit(6);
        }
    }
}

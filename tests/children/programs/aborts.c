/* Aborts with a last word, as a failed assertion does. */
#include "speak.h"

int main(int argc, char **argv) {
    begin(argv[0]);
    data(0, "one");
    fputs("aborts.c:9: Assertion `all is well' failed.\n", stderr);
    abort();
}

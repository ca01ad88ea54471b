/* Writes through a null pointer in the middle of its answer. */
#include "speak.h"

int main(int argc, char **argv) {
    begin(argv[0]);
    data(0, "one");
    *(volatile int *)NULL = 1;
    return 0;
}

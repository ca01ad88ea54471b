/* Calls itself until the stack is full. */
#include "speak.h"

static int deeper(int n) {
    volatile char room[4096];
    room[0] = (char)n;
    return deeper(n + 1) + room[0];
}

int main(int argc, char **argv) {
    begin(argv[0]);
    data(0, "one");
    return deeper(argc);
}

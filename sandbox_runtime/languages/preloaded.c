/*
 * Start a command with one library loaded into it before all others.
 *
 *     preloaded COMMAND...
 *
 * Built by ahead_of_rustc.py with -DLIBRARY=...: its path. The library takes it out of the environment again.
 */
#include <stdlib.h>
#include <unistd.h>

enum { CANNOT_EXECUTE = 126 };

int main(int count, char **values) {
    if (count < 2 || setenv("LD_PRELOAD", LIBRARY, 1) < 0) return CANNOT_EXECUTE;
    execv(values[1], values + 1);
    return CANNOT_EXECUTE;
}

// expect: PLE
// attack: T10 zombies: children that end and are never waited for
// control: process_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 60; i++) {
        pid_t child = fork();
        if (child < 0) return 1;
        if (child == 0) _exit(0);
    }
    puts("ESCAPED left 60 zombies");
    return 0;
}

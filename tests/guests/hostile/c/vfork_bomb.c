// expect: PLE
// attack: T8 vfork_bomb: processes that share one memory, made with a raw clone
// control: process_limit
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static int stay(void *unused) {
    (void)unused;
    for (;;) pause();
}
int main(void) {
    for (int i = 0; i < 60; i++) {
        char *stack = malloc(16384);
        if (clone(stay, stack + 16384, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_PARENT | SIGCHLD, 0) < 0) return 1;
    }
    puts("ESCAPED has 60 siblings");
    return 0;
}

// expect: PLE
// attack: T8 process_bomb: starts children that stay, each in a session of its own
// control: process_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 60; i++) {
        pid_t pid = fork();
        if (pid < 0) return 1;
        if (pid == 0) {
            setsid();
            for (;;) pause();
        }
    }
    puts("ESCAPED has 60 children");
    return 0;
}

// expect: MLE
// attack: T16 memory_deaf_parent: starts the next eater whenever the kernel has killed one
// control: memory_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    for (int round = 0; round < 20; round++) {
        int status;
        if (fork() == 0) {
            volatile char *block = malloc(200 << 20);
            for (long at = 0; at < 200 << 20; at += 4096) block[at] = 1;
            _exit(0);
        }
        wait(&status);
        if (status == 0) {
            puts("ESCAPED a child held 200 MiB");
            return 0;
        }
    }
    return 0;
}

// expect: MLE
// attack: T16 memory_forks: five children copy what was one block, each below the limit
// control: memory_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    volatile char *block = malloc(50 << 20);
    int held[2], failures = 0, status;
    if (pipe(held) != 0) return 1;
    memset((char *)block, 1, 50 << 20);
    for (int i = 0; i < 5; i++) {
        if (fork() == 0) {
            for (long at = 0; at < 50 << 20; at += 4096) block[at] = 2;
            char byte;
            close(held[1]);
            read(held[0], &byte, 1);
            _exit(0);
        }
    }
    usleep(300000);
    close(held[1]);
    while (wait(&status) > 0) failures += status != 0;
    if (failures == 0) puts("ESCAPED six processes held 300 MiB");
    return 0;
}

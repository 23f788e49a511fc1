// expect: MLE
// attack: T16 memory_child: only a child is killed by the kernel, and the parent hides it behind exit code 0
// control: memory_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    if (fork() == 0) {
        volatile char *block = malloc(320 << 20);
        for (long at = 0; at < 320 << 20; at += 4096) block[at] = 1;
        _exit(0);
    }
    int status;
    wait(&status);
    if (status == 0) puts("ESCAPED the child held 320 MiB");
    sleep(1);
    return 0;
}

// expect: MLE
// attack: T16 memory_semaphores: sets of semaphores, each as large as the kernel allows
// control: memory_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/sem.h>
int main(void) {
    for (int sets = 0; sets < 200; sets++)
        if (semget(IPC_PRIVATE, 32000, IPC_CREAT | 0600) < 0) return 1;
    puts("ESCAPED has 6.4 million semaphores");
    return 0;
}

// expect: MLE
// attack: T16 memory_system_v: System V segments, which outlive the process that made them
// control: memory_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>
int main(void) {
    for (int mib = 0; mib < 320; mib += 20) {
        int segment = shmget(IPC_PRIVATE, 20 << 20, IPC_CREAT | 0600);
        void *block = shmat(segment, 0, 0);
        if (block == (void *)-1) return 1;
        memset(block, 1, 20 << 20);
        shmdt(block);
    }
    puts("ESCAPED left 320 MiB in segments");
    return 0;
}

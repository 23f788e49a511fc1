// expect: MLE
// attack: T16 memory_pipes: fills pipes, whose buffers are the kernel's
// control: memory_limit
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    static char block[1 << 20];
    memset(block, 1, sizeof block);
    // 13 pipes fit in 32 descriptors; six processes have 78 of them, and 1 MiB fits in a large pipe.
    for (int i = 0; i < 5; i++)
        if (fork() == 0) break;
    for (int i = 0; i < 13; i++) {
        int ends[2];
        if (pipe2(ends, O_NONBLOCK) != 0) break;
        fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
        while (write(ends[1], block, 4096) > 0) {}
    }
    static char rest[1 << 20];
    for (int mib = 0; mib < 45; mib++) {
        char *more = sbrk(1 << 20);
        if (more == (void *)-1) return 1;
        memcpy(more, rest, sizeof rest);
        memset(more, 1, 1 << 20);
    }
    usleep(500000);
    puts("ESCAPED six processes hold pipes and heap of 300 MiB");
    return 0;
}

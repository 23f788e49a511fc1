// expect: AC
// attack: T16 lock_memory: memory that the kernel may not reclaim
// control: rlimits
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
int main(void) {
    static char block[1 << 20];
    if (mlock(block, sizeof block) == 0) puts("ESCAPED locked 1 MiB");
    return 0;
}

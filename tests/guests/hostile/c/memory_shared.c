// expect: MLE
// attack: T16 memory_shared: anonymous shared memory, which is not in the process's own resident set
// control: memory_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
int main(void) {
    for (int mib = 0; mib < 320; mib += 8) {
        void *block = mmap(0, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) return 1;
        memset(block, 1, 8 << 20);
    }
    puts("ESCAPED holds 320 MiB of shared memory");
    return 0;
}

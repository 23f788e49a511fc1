// expect: MLE
// attack: T16 memory_memfd: files of memory without a name, below the file size limit, kept by their mappings
// control: memory_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
    for (int mib = 0; mib < 320; mib++) {
        int fd = memfd_create("block", 0);
        if (ftruncate(fd, 1 << 20) != 0) return 1;
        void *block = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (block == MAP_FAILED) return 1;
        memset(block, 1, 1 << 20);
        close(fd);
    }
    puts("ESCAPED holds 320 MiB in files of memory");
    return 0;
}

// expect: AC
// attack: T16 T21 memory_secret: memory that the kernel itself does not map
// alone: some kernels have no such memory, with the filter or without
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>
int main(void) {
    if (syscall(447, 0) >= 0) puts("ESCAPED has secret memory");
    return 0;
}

// expect: AC
// attack: T21 foreign_abi_x32: calls numbered for x32, which carry another bit and slip past comparisons
// alone: most kernels have no such calls, with the filter or without
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    long numbers[] = {SYS_getpid, SYS_mount, SYS_ptrace, 520, 521, 545};
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        errno = 0;
        if (syscall(0x40000000 | numbers[i], 0, 0, 0, 0) >= 0 || errno != ENOSYS) printf("ESCAPED %ld: errno %d\n", numbers[i], errno);
    }
    return 0;
}

// expect: AC
// attack: T21 ring: submits system calls through a ring, past the filter
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    char parameters[120] = {0};
    refused("io_uring_setup", syscall(425, 4, parameters));
    refused("io_uring_enter", syscall(426, -1, 0, 0, 0, 0, 0));
    refused("io_uring_register", syscall(427, -1, 0, 0, 0));
    return 0;
}

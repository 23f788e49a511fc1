// expect: AC
// attack: T21 foreign_descriptors: takes descriptors out of another process, and compares kernel pointers
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    refused("pidfd_getfd", syscall(438, -1, 0, 0));
    refused("kcmp", syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 1));
    return 0;
}

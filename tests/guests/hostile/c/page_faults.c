// expect: AC
// attack: T21 page_faults: handles page faults itself, which widens every race in the kernel
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
    refused("userfaultfd", syscall(SYS_userfaultfd, 1));
    return 0;
}

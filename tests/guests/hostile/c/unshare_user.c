// expect: AC
// attack: T21 unshare_user: makes a user namespace, in which it would have every capability
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    refused("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
    return 0;
}

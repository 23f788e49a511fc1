// expect: AC
// attack: T21 unshare_others: makes each other kind of namespace
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
    // Without a user namespace these are privileged, so the kernel's own answer is EPERM; an invalid flag gets further.
    int flags[] = {CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, 0x80, CLONE_NEWUSER | CLONE_NEWNS, 0x40};
    for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++) refused("unshare", syscall(SYS_unshare, flags[i]));
    return 0;
}

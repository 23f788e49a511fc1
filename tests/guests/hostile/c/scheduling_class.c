// expect: AC
// attack: T17 T21 scheduling_class: asks for a scheduling class and an I/O class of its own
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
    unsigned attributes[12] = {48};
    refused("sched_setattr", syscall(SYS_sched_setattr, 0, attributes, 0));
    refused("ioprio_set", syscall(SYS_ioprio_set, 1, 0, 4 << 13));
    refused("ioprio_get", syscall(SYS_ioprio_get, 1, 0));
    return 0;
}

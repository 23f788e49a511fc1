// expect: AC
// attack: T21 old_calls: calls that only holes need today
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <sys/types.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    char answer[64];
    refused("ustat", syscall(SYS_ustat, 0, answer));
    refused("sysfs", syscall(SYS_sysfs, 3));
    refused("quotactl", syscall(SYS_quotactl, 0x7fffffff, 0, 0, 0));
    refused("syslog", syscall(SYS_syslog, 99, 0, 0));
    return 0;
}

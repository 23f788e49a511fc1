// expect: AC
// attack: T21 machine_state: ports, segments and clocks of the machine
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
#ifdef __x86_64__
    char table[64];
    refused("iopl", syscall(SYS_iopl, 0));
    refused("ioperm", syscall(SYS_ioperm, 0, 1, 0));
    refused("modify_ldt", syscall(SYS_modify_ldt, 0, table, sizeof table));
#endif
    refused("settimeofday", syscall(SYS_settimeofday, (void *)1, 0));
    refused("clock_settime", syscall(SYS_clock_settime, 0, (void *)1));
    refused("adjtimex", syscall(SYS_adjtimex, (void *)1));
    refused("clock_adjtime", syscall(SYS_clock_adjtime, 0, (void *)1));
    return 0;
}

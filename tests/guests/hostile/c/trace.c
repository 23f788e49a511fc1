// expect: AC SIG
// attack: T21 trace: debugs itself and others
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    refused("attach", syscall(SYS_ptrace, PTRACE_SEIZE, child, 0, 0));
    refused("attach to init", syscall(SYS_ptrace, PTRACE_SEIZE, 1, 0, 0));
    refused("traceme", syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0));
    return 0;
}

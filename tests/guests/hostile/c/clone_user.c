// expect: AC
// attack: T21 clone_user: clone with namespace flags, the old call and the new one, whose flags no filter can read
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void started(const char *name, long pid) {
    if (pid == 0) _exit(0);
    if (pid < 0) return;
    waitpid(pid, 0, 0);
    printf("ESCAPED %s made a namespace\n", name);
}
int main(void) {
    unsigned long arguments[8] = {CLONE_NEWUSER | CLONE_NEWNS, 0, 0, 0, SIGCHLD, 0, 0, 0};
    started("clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    started("clone with more", syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
    started("clone3", syscall(SYS_clone3, arguments, sizeof arguments));
    return 0;
}

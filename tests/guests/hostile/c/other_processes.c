// expect: AC
// attack: T8 T31 other_processes: looks for processes that are not its own, by number
// control: pid_namespace
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    if (getppid() != 1) printf("ESCAPED the parent is %d\n", getppid());
    for (pid_t pid = 2; pid < 300; pid++)
        if (pid != getpid() && (kill(pid, 0) == 0 || errno == EPERM)) printf("ESCAPED found process %d\n", pid);
    return 0;
}

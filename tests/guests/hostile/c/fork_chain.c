// expect: AC
// attack: T8 fork_chain: each process forks and ends, so that there is never a number to kill
// control: pid_namespace
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    puts("done");
    fflush(stdout);
    if (fork() != 0) return 0;
    signal(SIGCHLD, SIG_IGN);
    setsid();
    for (;;) {
        if (fork() != 0) _exit(0);
        usleep(200);
    }
}

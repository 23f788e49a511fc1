// expect: TLE
// attack: T12 stop_itself: stops, and is continued by a child after the limit
// control: wall_limit
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    pid_t parent = getpid();
    if (fork() == 0) {
        usleep(1200000);
        kill(parent, SIGCONT);
        _exit(0);
    }
    kill(parent, SIGSTOP);
    puts("ESCAPED was stopped for 1.2 s");
    return 0;
}

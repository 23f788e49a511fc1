// expect: AC MLE
// attack: T16 memory_timers: timers and queued signals, which are the kernel's memory
// alone: the number is held by a limit of pending signals that the runner itself has
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    timer_t timer;
    long made = 0, queued = 0;
    sigset_t blocked;
    sigfillset(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, 0);
    while (made < 1000000 && timer_create(CLOCK_MONOTONIC, 0, &timer) == 0) made++;
    while (queued < 1000000 && sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0) queued++;
    if (made == 1000000 || queued == 1000000) puts("ESCAPED has a million of them");
    return 0;
}

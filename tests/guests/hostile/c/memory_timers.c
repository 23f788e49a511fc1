// expect: AC
// attack: T16 T17 memory_timers: timers that all end at once in interrupts, and queued signals
// control: rlimits
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
enum { MOST = 4000 };
int main(void) {
    timer_t timer;
    long made = 0, queued = 0;
    sigset_t blocked;
    sigfillset(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, 0);
    while (queued < MOST && sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0) queued++;
    while (made < MOST && timer_create(CLOCK_MONOTONIC, 0, &timer) == 0) made++;
    if (made + queued >= MOST) printf("ESCAPED has %ld timers and %ld signals\n", made, queued);
    return 0;
}

// expect: TLE
// attack: T17 burn_then_sleep: computes a little and then waits, below the CPU limit all the time
// control: wall_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    /* Little enough that a busy host takes no noticeable part of the wall time: that would end as ie_host_overloaded. */
    while (clock() < CLOCKS_PER_SEC / 100) {}
    usleep(1200000);
    puts("ESCAPED took 1.2 s");
    return 0;
}

// expect: AC
// attack: T17 raise_priority: takes the processors from everybody else
// control: no_capabilities
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    struct sched_param first = {.sched_priority = 50};
    if (nice(-5) != -1) puts("ESCAPED is nicer to itself");
    if (sched_setscheduler(0, SCHED_FIFO, &first) == 0) puts("ESCAPED has a real-time priority");
    return 0;
}

// expect: TLE
// attack: T17 wait_for_nothing: blocks every signal and waits for an event that cannot come
// control: wall_limit
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
int main(void) {
    sigset_t all;
    struct epoll_event event;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, 0);
    epoll_wait(epoll_create1(0), &event, 1, 1200);
    puts("ESCAPED waited 1.2 s");
    return 0;
}

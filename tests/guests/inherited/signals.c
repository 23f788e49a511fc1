#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
int main(void) {
    unsigned long ignored = 0, blocked = 0;
    sigset_t mask;
    sigprocmask(SIG_SETMASK, 0, &mask);
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction action;
        if (sigaction(number, 0, &action) == 0 && action.sa_handler == SIG_IGN) ignored |= 1UL << (number - 1);
        if (sigismember(&mask, number) == 1) blocked |= 1UL << (number - 1);
    }
    printf("[%lu, %lu, true]\n", ignored, blocked);
}

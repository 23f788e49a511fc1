// expect: AC
// attack: T9 signal_storm: a hundred thousand signals to init and to itself
// alone: without a pid namespace it would send them to the host's first process
#define _GNU_SOURCE
#include <signal.h>
#include <unistd.h>
static void ignore(int number) { (void)number; }
int main(void) {
    signal(SIGUSR1, ignore);
    for (int i = 0; i < 50000; i++) {
        kill(getpid(), SIGUSR1);
        kill(1, 1 + i % 64);
    }
    return 0;
}

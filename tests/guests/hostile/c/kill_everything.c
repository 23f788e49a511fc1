// expect: SIG
// attack: T9 kill_everything: kills init and every process that it can see, itself last
// alone: without a pid namespace it would end the host's processes
#define _GNU_SOURCE
#include <signal.h>
#include <unistd.h>
int main(void) {
    kill(1, SIGKILL);
    kill(1, SIGTERM);
    kill(-1, SIGKILL);
    kill(getpid(), SIGKILL);
    return 0;
}

// expect: SIG
// attack: kills every process that it can see, init too
#define _GNU_SOURCE
#include <signal.h>
#include <unistd.h>
int main(void) {
    kill(1, SIGKILL);
    kill(-1, SIGKILL);
    kill(getpid(), SIGKILL);
    return 0;
}

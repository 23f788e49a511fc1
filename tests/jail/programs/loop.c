// expect: TLE
// attack: T9 endless loop that ignores SIGXCPU and SIGTERM
#define _GNU_SOURCE
#include <signal.h>
int main(void) {
    signal(SIGXCPU, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    for (volatile long i = 0;; i++) {}
}

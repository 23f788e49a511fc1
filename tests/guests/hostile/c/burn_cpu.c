// expect: TLE
// attack: T9 T17 burn_cpu: computes without end, deaf to SIGXCPU and SIGTERM
// control: cpu_limit
#include <signal.h>
#include <stdio.h>
#include <time.h>
int main(void) {
    signal(SIGXCPU, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    while (clock() < CLOCKS_PER_SEC * 7 / 10) {}
    puts("ESCAPED burnt 0.7 s of CPU time");
    return 0;
}

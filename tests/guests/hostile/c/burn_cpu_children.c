// expect: TLE
// attack: T17 burn_cpu_children: grandchildren burn CPU time, outside the process that is waited for
// control: cpu_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            if (fork() == 0) {
                while (clock() < CLOCKS_PER_SEC / 4) {}
                _exit(0);
            }
            wait(0);
            _exit(0);
        }
    }
    while (wait(0) > 0) {}
    puts("ESCAPED grandchildren burnt 0.7 s of CPU time");
    return 0;
}

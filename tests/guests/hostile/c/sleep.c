// expect: TLE
// attack: T17 sleep: uses no CPU time and takes a slot for as long as it likes
// control: wall_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>
int main(void) {
    usleep(1200000);
    puts("ESCAPED slept 1.2 s");
    return 0;
}

// expect: TLE
// attack: T17 CPU burnt by children of children, outside the process that is waited for
#define _GNU_SOURCE
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 3; i++)
        if (fork() == 0) for (volatile long j = 0;; j++) {}
    pause();
}

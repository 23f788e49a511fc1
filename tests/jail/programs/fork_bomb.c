// expect: PLE
// attack: T8 fork bomb; exits non-zero once fork is refused
#define _GNU_SOURCE
#include <unistd.h>
int main(void) {
    for (;;)
        if (fork() < 0) return 1;
}

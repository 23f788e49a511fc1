// expect: PLE
// attack: T8 fork bomb; exits non-zero once fork is refused again and again (of two forks at once on two CPUs
// RLIMIT_NPROC may refuse one before the group counts it)
#define _GNU_SOURCE
#include <unistd.h>
int main(void) {
    for (int refused = 0; refused < 100;)
        if (fork() < 0) refused++;
    return 1;
}

// expect: TLE
// attack: T9 imitate_signal: ends by the signal of a CPU limit that it never reached; the kernel's word counts
#include <signal.h>
int main(void) {
    raise(SIGXCPU);
    return 0;
}

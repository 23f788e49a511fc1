// expect: TLE
// attack: T9 imitate_signal: ends by the signal of a CPU limit that it never reached; the kernel's word counts
// alone: it attacks the verdict, which goes by the wait status only
#include <signal.h>
int main(void) {
    raise(SIGXCPU);
    return 0;
}

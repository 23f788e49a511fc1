// expect: SIG
// attack: T25 dies by SIGSEGV with a core dump asked for
#include <sys/resource.h>
int main(void) {
    struct rlimit limit = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_CORE, &limit);
    *(volatile int *)0 = 1;
}

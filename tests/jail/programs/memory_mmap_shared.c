// expect: MLE
// attack: T16 anonymous shared memory, which is not in the process's own resident set
#define _GNU_SOURCE
#include <sys/mman.h>
#include <string.h>

int main(void) {
    for (;;) {
        void *p = mmap(0, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return 1;
        memset(p, 1, 8 << 20);
    }
}

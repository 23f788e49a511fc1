// expect: SIG
// attack: T20 deep_recursion: uses up the stack
// alone: it meets the stack's own end, in a jail or not
#include <stdio.h>
static int depth(volatile int level) {
    volatile char frame[4096];
    frame[level % 4096] = 1;
    return depth(level + 1) + frame[0];
}
int main(void) {
    printf("%d\n", depth(0));
    return 0;
}

// expect: RE
// attack: T6 T20 compile_huge_array: a small source becomes a large program
// control: rlimits
#include <stdio.h>
static volatile char block[48 << 20] = {1};
int main(void) {
    printf("ESCAPED the program has %zu bytes, %d\n", sizeof block, block[(48 << 20) - 1]);
    return 0;
}

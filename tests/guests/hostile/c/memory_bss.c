// expect: MLE
// attack: T16 memory_bss: memory that the program has before it starts
// control: memory_limit
#include <stdio.h>
static volatile char block[320 << 20];
int main(void) {
    for (long at = 0; at < (long)sizeof block; at += 4096) block[at] = 1;
    puts("ESCAPED holds 320 MiB");
    return 0;
}

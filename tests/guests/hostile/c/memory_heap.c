// expect: MLE
// attack: T16 memory_heap: heap that is really used
// control: memory_limit
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
    for (int mib = 0; mib < 320; mib += 8) {
        char *block = malloc(8 << 20);
        if (!block) return 1;
        memset(block, 1, 8 << 20);
    }
    puts("ESCAPED holds 320 MiB of heap");
    return 0;
}

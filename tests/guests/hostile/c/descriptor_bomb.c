// expect: AC
// attack: T6 descriptor_bomb: opens the same file again and again
// control: rlimits
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
int main(void) {
    int opened = 0;
    while (opened < 300 && open("/dev/null", O_RDONLY) >= 0) opened++;
    if (opened == 300) puts("ESCAPED has 300 descriptors");
    return 0;
}

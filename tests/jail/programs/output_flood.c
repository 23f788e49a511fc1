// expect: SIG
// attack: T14 endless output on both streams, no newline, invalid UTF-8
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>
int main(void) {
    char block[65536];
    memset(block, 0xff, sizeof block);
    for (;;) {
        write(1, block, sizeof block);
        write(2, block, sizeof block);
    }
}

// expect: SIG
// attack: T14 output_flood: more output than may be kept, without a newline and not UTF-8
// control: output_limit
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>
int main(void) {
    char block[65536];
    memset(block, 0xff, sizeof block);
    for (int i = 0; i < 10; i++) write(1, block, sizeof block);
    write(1, "\nESCAPED wrote 640 KiB\n", 23);
    return 0;
}

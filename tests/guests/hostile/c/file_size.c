// expect: FSE
// attack: T6 file_size: one file larger than the limit
// control: rlimits
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    static char block[65536];
    int fd = open("big", O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < 64; i++)
        if (write(fd, block, sizeof block) != sizeof block && i > 16) return 1;
    puts("ESCAPED made a file of 4 MiB");
    return 0;
}

// expect: FSE
// attack: T6 sparse_file: a file that is large without a byte in it
// control: rlimits
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    int fd = open("sparse", O_CREAT | O_RDWR, 0600);
    if (ftruncate(fd, 32 << 20) == 0) puts("ESCAPED made a file of 32 MiB");
    return 0;
}

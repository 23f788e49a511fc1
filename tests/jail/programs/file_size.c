// expect: FSE
// attack: one file larger than the limit
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    char block[65536];
    memset(block, 1, sizeof block);
    int fd = open("big", O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < 64; i++) write(fd, block, sizeof block);
    return 0;
}

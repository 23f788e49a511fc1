// expect: AC
// attack: T6 inode_bomb: empty files, which no byte limit counts
// control: inode_limit
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 20000; i++) {
        char path[32];
        snprintf(path, sizeof path, "/tmp/%d", i);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        if (fd < 0) return 0;
        close(fd);
    }
    puts("ESCAPED made 20000 files");
    return 0;
}

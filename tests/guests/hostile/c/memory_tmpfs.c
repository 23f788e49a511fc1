// expect: MLE
// attack: T6 T16 memory_tmpfs: fills every writable mount with files below the file size limit
// control: memory_limit
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    static char block[1 << 20] = {1};
    const char *places[] = {"/tmp", "/dev/shm", "."};
    for (int i = 0; i < 330; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/file%d", places[i % 3], i);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        if (write(fd, block, sizeof block) != sizeof block) return 1;
        close(fd);
    }
    puts("ESCAPED stored 330 MiB in files");
    return 0;
}

// expect: AC MLE
// attack: T6 T16 memory_attributes: extended attributes of its own files, which no quota of bytes counts
// alone: file systems of older kernels have no such attributes
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>
int main(void) {
    static char value[60000] = {1};
    long stored = 0;
    for (int file = 0; file < 6000; file++) {
        char path[32];
        snprintf(path, sizeof path, "/tmp/%d", file);
        close(open(path, O_CREAT | O_WRONLY, 0600));
        if (setxattr(path, "user.value", value, sizeof value, 0) != 0) break;
        stored += sizeof value;
    }
    if (stored > 256 << 20) puts("ESCAPED stored more than all of its memory");
    return 0;
}

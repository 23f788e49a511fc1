// expect: AC
// attack: T31 change_input: writes to its own input, which the host still holds
// control: sealed_input
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    int fd = open("/proc/self/fd/0", O_RDWR);
    if (fd >= 0 && write(fd, "changed", 7) == 7) puts("ESCAPED changed its input");
    if (ftruncate(0, 0) == 0 || (fd >= 0 && ftruncate(fd, 0) == 0)) puts("ESCAPED cut its input");
    return 0;
}

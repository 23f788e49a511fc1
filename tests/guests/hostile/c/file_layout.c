// expect: AC
// attack: T21 file_layout: asks where files lie on the host's disk, and for the host's bridges, which loads a module
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
static void refused(const char *name, long result) {
    if (result >= 0 || errno != ENOTTY) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    struct { unsigned long start, length; unsigned flags, mapped, count, reserved; } layout = {0, ~0UL, 0, 0, 0, 0};
    refused("FIEMAP", ioctl(open("/usr/bin/sort", O_RDONLY), 0xC020660B, &layout));
    refused("SIOCGIFBR", ioctl(socket(AF_UNIX, SOCK_STREAM, 0), 0x8940, &layout));
    refused("SIOCGIFVLAN", ioctl(socket(AF_UNIX, SOCK_STREAM, 0), 0x8982, &layout));
    return 0;
}

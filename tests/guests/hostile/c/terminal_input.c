// expect: AC
// attack: T21 terminal_input: pushes input into a terminal that it may share with a person
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ioctl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    refused("TIOCSTI", ioctl(0, 0x5412, "x"));
    refused("TIOCLINUX", ioctl(0, 0x541c, "x"));
    refused("TIOCSETD", ioctl(0, 0x5423, "x"));
    return 0;
}

// expect: AC
// attack: T16 T28 descriptor_owners: owners of descriptors, which no group is charged for, and signals by a list of the whole host
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#define FIOSETOWN 0x8901
#define SIOCSPGRP 0x8902
static void refused(const char *name, long result, int right) {
    if (result >= 0 || errno != right) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    int pair[2], on = 1, own = getpid(), device = open("/dev/urandom", O_RDONLY);
    uint64_t lifetime = 2;
    struct f_owner_ex owner = {F_OWNER_PID, own};
    if (device < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
    refused("F_SETOWN", fcntl(device, F_SETOWN, own), EINVAL);
    refused("F_SETOWN_EX", fcntl(device, F_SETOWN_EX, &owner), EINVAL);
    refused("F_SETSIG", fcntl(device, F_SETSIG, 10), EINVAL);
    refused("FIOSETOWN", ioctl(pair[0], FIOSETOWN, &own), ENOTTY);
    refused("SIOCSPGRP", ioctl(pair[0], SIOCSPGRP, &own), ENOTTY);
    // Readers of /dev/random who want signals are in one list, under one lock of all processes.
    refused("O_ASYNC", fcntl(device, F_SETFL, O_ASYNC), EINVAL);
    refused("open with O_ASYNC", open("/dev/random", O_RDONLY | O_ASYNC), EINVAL);
    refused("FIOASYNC", ioctl(device, FIOASYNC, &on), ENOTTY);
    // Older kernels keep this hint in any inode for anybody who asks.
    refused("F_SET_RW_HINT", fcntl(open("mine", O_RDWR | O_CREAT, 0600), F_SET_RW_HINT, &lifetime), EINVAL);
    return 0;
}

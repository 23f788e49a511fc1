// expect: AC
// attack: T16 file_locks: locks of ranges and leases, which are the kernel's memory and charged to no group
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
static void refused(const char *name, long result, int right) {
    if (result >= 0 || errno != right) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    int fd = open("mine", O_RDWR | O_CREAT, 0600);
    struct flock one = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    refused("F_SETLK", fcntl(fd, F_SETLK, &one), ENOLCK);
    refused("F_SETLKW", fcntl(fd, F_SETLKW, &one), ENOLCK);
    refused("F_OFD_GETLK", fcntl(fd, F_OFD_GETLK, &one), EINVAL);
    one.l_type = F_WRLCK;
    refused("F_OFD_SETLK", fcntl(fd, F_OFD_SETLK, &one), EINVAL);
    refused("F_OFD_SETLKW", fcntl(fd, F_OFD_SETLKW, &one), EINVAL);
    refused("F_SETLEASE", fcntl(fd, F_SETLEASE, F_WRLCK), EINVAL);
    return 0;
}

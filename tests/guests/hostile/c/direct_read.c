// expect: AC
// attack: T16 direct_read: reads past the page cache, so that the host's disk is never idle, and makes a pipe one of packets
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#define FILE_OF_THE_HOST "/usr/bin/sort"
static void refused(const char *name, long result, int right) {
    if (result >= 0 || errno != right) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    unsigned long how[3] = {O_RDONLY | O_DIRECT, 0, 0};
    int ordinary = open(FILE_OF_THE_HOST, O_RDONLY), output = fcntl(1, F_GETFL);
    char text[16];
    struct iovec part = {text, sizeof text};
    if (ordinary < 0 || output < 0) return 1;
#ifdef SYS_open
    refused("open", syscall(SYS_open, FILE_OF_THE_HOST, O_RDONLY | O_DIRECT), EINVAL);
#endif
    refused("openat", openat(AT_FDCWD, FILE_OF_THE_HOST, O_RDONLY | O_DIRECT), EINVAL);
    refused("openat2", syscall(SYS_openat2, AT_FDCWD, FILE_OF_THE_HOST, how, sizeof how), ENOSYS);
    refused("F_SETFL", fcntl(ordinary, F_SETFL, O_DIRECT), EINVAL);
    refused("F_SETFL of the output", fcntl(1, F_SETFL, output | O_DIRECT), EINVAL);
    // RWF_DONTCACHE: older kernels do not know it and say the same as the filter.
    refused("preadv2", preadv2(ordinary, &part, 1, 0, 0x80), EOPNOTSUPP);
    return 0;
}

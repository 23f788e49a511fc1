// expect: AC
// attack: T21 T28 shared_objects: asks which objects of the kernel it shares with others, and which pages others have read
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#define RWF_NOWAIT 8
#define NS_GET_PARENT 0xB702
#define NS_GET_NSTYPE 0xB703
#define PIDFD_GET_TIME_NAMESPACE 0xFF08
#define CACHESTAT 451
static void refused(const char *name, long result, int right) {
    if (result >= 0 || errno != right) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    char byte = 'x';
    unsigned long context = 0, range[2] = {0, 4096}, counts[5];
    struct iovec part = {&byte, 1};
    int mine = open("mine", O_RDWR | O_CREAT, 0600), shared = open("/usr/bin/env", O_RDONLY);
    if (mine < 0 || shared < 0 || write(mine, &byte, 1) != 1) return 1;
    // Only what is in memory already: it tells at once whether others have read a page.
    refused("RWF_NOWAIT", preadv2(mine, &part, 1, 0, RWF_NOWAIT), EOPNOTSUPP);
    refused("cachestat", syscall(CACHESTAT, shared, range, counts, 0), ENOSYS);
    refused("kcmp", syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0), EPERM);
    // Contexts of asynchronous I/O have one number for the host.
    refused("io_setup", syscall(SYS_io_setup, 1, &context), ENOSYS);
    int namespace = open("/proc/self/ns/user", O_RDONLY), self = syscall(SYS_pidfd_open, getpid(), 0);
    refused("NS_GET_NSTYPE", ioctl(namespace, NS_GET_NSTYPE), ENOTTY);
    refused("NS_GET_PARENT", ioctl(open("/proc/self/ns/pid", O_RDONLY), NS_GET_PARENT), ENOTTY);
    refused("PIDFD_GET_TIME_NAMESPACE", ioctl(self, PIDFD_GET_TIME_NAMESPACE, 0), ENOTTY);
    return 0;
}

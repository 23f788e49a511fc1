// expect: AC
// attack: T21 enter_namespace: enters namespaces by descriptor
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    refused("setns", syscall(SYS_setns, -1, 0));
    int fd = open("/proc/1/ns/mnt", O_RDONLY);
    if (fd >= 0) puts("ESCAPED opened a namespace of init");
    refused("setns of its own", syscall(SYS_setns, open("/proc/self/ns/user", O_RDONLY), 0));
    return 0;
}

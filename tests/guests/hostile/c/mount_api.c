// expect: AC
// attack: T21 mount_api: the new mount calls, which old filters do not know
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
    char zeros[64] = {0};
    refused("open_tree", syscall(428, AT_FDCWD, "/", 0));
    refused("move_mount", syscall(429, -1, "", -1, "", 0xffff));
    refused("fsopen", syscall(430, "tmpfs", 0));
    refused("fsconfig", syscall(431, -1, 0, 0, 0, 0));
    refused("fsmount", syscall(432, -1, 0, 0));
    refused("fspick", syscall(433, AT_FDCWD, "/", 0));
    refused("mount_setattr", syscall(442, AT_FDCWD, "/", 0, zeros, 0));
    refused("statmount", syscall(457, 0, 0, 0, 0));
    refused("listmount", syscall(458, 0, 0, 0, 0));
    refused("open_tree_attr", syscall(467, AT_FDCWD, "/", 0, zeros, 32));
    return 0;
}

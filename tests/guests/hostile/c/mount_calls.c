// expect: AC
// attack: T21 mount_calls: the old mount calls
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mount.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    refused("mount", syscall(SYS_mount, (char *)1, "/tmp", "tmpfs", 0, 0));
    refused("umount2", syscall(SYS_umount2, "/proc", 0x1000));
    refused("pivot_root", syscall(SYS_pivot_root, "/", "/tmp"));
    refused("chroot", syscall(SYS_chroot, "/missing"));
    return 0;
}

// expect: AC
// attack: T21 watch_files: watches all files of a mount
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    refused("fanotify_init", syscall(SYS_fanotify_init, 0x200, 0));
    refused("fanotify_mark", syscall(SYS_fanotify_mark, -1, 1, 0, 0, "/"));
    return 0;
}

// expect: AC
// attack: T21 mount_in_namespace: mounts over its own files, as root of a user namespace
// control: seccomp
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>
int main(void) {
    unshare(CLONE_NEWUSER | CLONE_NEWNS);
    if (mount("planted", "/tmp", "tmpfs", 0, 0) == 0) puts("ESCAPED mounted a file system");
    if (mount("/usr/bin", "/box", 0, MS_BIND, 0) == 0) puts("ESCAPED bound a directory");
    if (mount(0, "/usr", 0, MS_REMOUNT | MS_BIND, 0) == 0) puts("ESCAPED made the system writable");
    return 0;
}

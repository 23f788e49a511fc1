// expect: AC
// attack: T21 keys: uses the kernel's key store, which is shared by all processes of a user
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
    refused("add_key", syscall(SYS_add_key, "user", "rustbox", "secret", 6, -2));
    refused("request_key", syscall(SYS_request_key, "user", "rustbox", 0, -2));
    refused("keyctl", syscall(SYS_keyctl, 0, -3, 1, 0, 0));
    return 0;
}

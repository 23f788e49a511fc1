// expect: AC
// attack: T21 kernel_programs: loads programs into the kernel
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
    char attributes[128] = {0};
    refused("bpf", syscall(SYS_bpf, 0, attributes, 1 << 20));
    refused("bpf map", syscall(SYS_bpf, 0, attributes, sizeof attributes));
    return 0;
}

// expect: AC
// attack: T21 foreign_memory: reads and changes the memory of another process
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <sys/uio.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    char source[8] = "secret", target[8];
    struct iovec from = {source, 8}, to = {target, 8};
    refused("process_vm_readv", syscall(SYS_process_vm_readv, getpid(), &to, 1, &from, 1, 0));
    refused("process_vm_writev", syscall(SYS_process_vm_writev, getpid(), &from, 1, &to, 1, 0));
    refused("process_vm_readv of init", syscall(SYS_process_vm_readv, 1, &to, 1, &from, 1, 0));
    refused("process_madvise", syscall(440, -1, &from, 1, 0, 0));
    refused("process_mrelease", syscall(448, -1, 0));
    return 0;
}

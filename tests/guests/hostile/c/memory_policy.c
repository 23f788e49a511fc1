// expect: AC
// attack: T21 memory_policy: moves pages between memory nodes
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
    refused("get_mempolicy", syscall(SYS_get_mempolicy, 0, 0, 0, 0, 0));
    refused("set_mempolicy", syscall(SYS_set_mempolicy, 0, 0, 0));
    refused("move_pages", syscall(SYS_move_pages, 0, 0, 0, 0, 0, 0));
    refused("set_mempolicy_home_node", syscall(450, 0, 0, 0, 0));
    return 0;
}

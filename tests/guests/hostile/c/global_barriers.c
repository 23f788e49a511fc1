// expect: AC
// attack: T17 global_barriers: memory barriers that interrupt the processes of others, or wait for all processors
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static long barrier(int command) { return syscall(SYS_membarrier, command, 0, 0); }
static void refused(const char *name, int command) {
    long result = barrier(command);
    if (result >= 0 || errno != EINVAL) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    refused("GLOBAL", MEMBARRIER_CMD_GLOBAL);
    refused("REGISTER_GLOBAL_EXPEDITED", MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
    refused("GLOBAL_EXPEDITED", MEMBARRIER_CMD_GLOBAL_EXPEDITED);
    // Those among the threads of one process work.
    if (barrier(MEMBARRIER_CMD_QUERY) < 0 || barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0) return 1;
    return barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0;
}

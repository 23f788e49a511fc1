// expect: AC
// attack: T21 performance_counters: measures other processes through performance counters
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    unsigned attributes[32] = {1, 128};  // a software event, the size of the structure
    refused("perf_event_open", syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0));
    return 0;
}

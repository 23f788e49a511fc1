// expect: AC
// attack: T21 personality: asks for an execution domain with predictable addresses
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <sys/personality.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    refused("personality", syscall(SYS_personality, ADDR_NO_RANDOMIZE));
    refused("personality", syscall(SYS_personality, READ_IMPLIES_EXEC | MMAP_PAGE_ZERO));
    return 0;
}

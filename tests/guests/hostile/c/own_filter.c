// expect: AC
// attack: T21 own_filter: puts a filter of its own over the jail's, for instance one that answers every call with success
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
    unsigned action = 0x7fff0000;
    refused("seccomp", syscall(SYS_seccomp, 2, 0, &action));
    refused("landlock_create_ruleset", syscall(444, 0, 0, 1));
    refused("landlock_add_rule", syscall(445, -1, 1, 0, 0));
    return 0;
}

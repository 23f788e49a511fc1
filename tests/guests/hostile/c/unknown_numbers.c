// expect: AC
// attack: T24 unknown_numbers: numbers that no author of the policy allowed, some of which this kernel may have
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
    for (long number = 459; number <= 600; number++) {
        if (number == 462) continue;  // mseal is allowed
        errno = 0;
        if (syscall(number, 0, 0, 0, 0, 0, 0) >= 0 || errno != ENOSYS) printf("ESCAPED number %ld: errno %d\n", number, errno);
    }
    refused("a very large number", syscall(0x12345678));
    return 0;
}

// expect: AC
// attack: T21 gift_pages: gives its pages to a pipe, the way into several kernel holes
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
    int ends[2];
    char text[8] = "page";
    struct iovec page = {text, 4};
    if (pipe(ends) != 0) return 1;
    refused("vmsplice", syscall(SYS_vmsplice, ends[1], &page, 1, 0));
    return 0;
}

// expect: AC
// attack: T21 file_handles: opens files by handle, past every directory
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    char handle[256] = {(char)128};
    int mount_id;
    refused("name_to_handle_at", syscall(SYS_name_to_handle_at, AT_FDCWD, "/usr/bin/env", handle, &mount_id, 0));
    refused("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, (void *)1, O_RDONLY));
    return 0;
}

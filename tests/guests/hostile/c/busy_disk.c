// expect: AC
// attack: T16 busy_disk: flushes the host's device, empties its page cache, reads ahead of everybody
// control: seccomp
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void does_nothing(const char *name, long number) {
    // The kernel would say that there is no such descriptor.
    if (syscall(number, -1, 0, 0, POSIX_FADV_DONTNEED) != 0) printf("ESCAPED %s reached the kernel\n", name);
}
int main(void) {
    does_nothing("fsync", SYS_fsync);
    does_nothing("fdatasync", SYS_fdatasync);
    does_nothing("sync_file_range", SYS_sync_file_range);
    does_nothing("fadvise64", SYS_fadvise64);
    does_nothing("readahead", SYS_readahead);
    does_nothing("syncfs", SYS_syncfs);
    return 0;
}

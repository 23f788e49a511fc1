// expect: AC
// attack: T28 T29 proc_settings: settings in /proc that are counted, limited in time or logged for the whole host
// control: read_only_proc
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    // One program in a tenth of a second may set the first. The second takes a number of the host and writes to its log.
    const char *names[] = {"autogroup", "loginuid", "oom_score_adj", "coredump_filter", "timerslack_ns", "clear_refs", "comm", "mem"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/%s", names[i]);
        if (open(path, O_WRONLY) >= 0) printf("ESCAPED may write to %s\n", path);
        else if (errno != EROFS && errno != ENOENT && errno != EACCES) printf("%s: errno %d\n", path, errno);
    }
    // What stands behind a link in /proc is another file system.
    return open("/proc/self/fd/1", O_WRONLY) < 0;
}

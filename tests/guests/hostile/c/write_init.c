// expect: AC
// attack: T31 write_init: writes to the memory and the settings of process 1
// alone: several controls: the user id, hidden processes, and a root of its own
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(void) {
    const char *paths[] = {"/proc/1/mem", "/proc/1/oom_score_adj", "/proc/1/clear_refs", "/proc/1/comm", "/proc/1/maps", "/proc/1/fd/3"};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
        if (open(paths[i], O_RDWR) >= 0 || open(paths[i], O_RDONLY) >= 0) printf("ESCAPED opened %s\n", paths[i]);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    if (write(fd, "-1000", 5) > 0) puts("ESCAPED is safe from the kernel's choice");
    return 0;
}

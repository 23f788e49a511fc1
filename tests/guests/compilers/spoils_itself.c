#include <stdio.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/stat.h>
static const char script[] = "#!/bin/sh\necho spoilt\n";
int main(void) {
    int through_proc = open("/proc/self/exe", O_WRONLY);
    int is_gone = unlink("/box/solution") == 0;
    int fd = open("/box/solution", O_WRONLY | O_CREAT | O_TRUNC, 0755);
    int is_written = write(fd, script, sizeof script - 1) == sizeof script - 1;
    printf("%d %d %d\n", through_proc, is_gone, is_written);
}

// expect: AC
// attack: T1 T2 planted_links: replaces its own files and the names that the host writes with links out of the box
// control: read_only_root
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    unlink("solution");
    if (symlink("/etc/passwd", "solution") != 0 || symlink("/", "solution.c") != 0) return 1;
    if (mkfifo("artifact", 0600) != 0) return 1;
    if (link("/usr/bin/env", "env") == 0) puts("ESCAPED linked to a file of the host");
    if (rename("/box", "/tmp/box") == 0 || rmdir("/box") == 0) puts("ESCAPED moved the box away");
    if (symlink("/", "/planted") == 0) puts("ESCAPED planted a link beside the box");
    chdir("/tmp");
    if (symlink("/", "/box") == 0) puts("ESCAPED replaced the box");
    return 0;
}

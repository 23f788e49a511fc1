// expect: AC
// attack: T22 give_away: gives files to root, for setuid programs of its own
// control: no_capabilities
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    if (chown("solution", 0, 0) == 0) puts("ESCAPED gave a program to root");
    if (chmod("solution", 04755) != 0 && chown("/tmp", getuid(), -1) == 0) puts("ESCAPED took a directory");
    return 0;
}

// expect: AC
// attack: T21 T28 watch_by_signal: the older way to watch a directory, an option of a call that everybody needs
// control: seccomp
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
int main(void) {
    int directory = open("/usr/bin", O_RDONLY | O_DIRECTORY);
    signal(SIGIO, SIG_IGN);
    if (fcntl(directory, F_NOTIFY, DN_ACCESS | DN_MULTISHOT) == 0) puts("ESCAPED is told of every access to /usr/bin");
    return 0;
}

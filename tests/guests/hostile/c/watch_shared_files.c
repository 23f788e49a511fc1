// expect: AC
// attack: T21 T28 watch_shared_files: watches files that all runs share, to see what the neighbours open
// control: seccomp
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/inotify.h>
int main(void) {
    const char *places[] = {"/usr/bin", "/usr/lib", "/dev/null", "/lib64"};
    int queue = inotify_init1(0);
    for (int i = 0; i < 4; i++)
        if (inotify_add_watch(queue, places[i], IN_OPEN | IN_ACCESS) >= 0) printf("ESCAPED watches %s\n", places[i]);
    return 0;
}

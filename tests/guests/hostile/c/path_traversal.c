// expect: AC
// attack: T1 T5 path_traversal: leaves the box by dots and through its own links in /proc
// control: mount_namespace
#include <stdio.h>
int main(void) {
    const char *paths[] = {"../../../../../etc/passwd", "/proc/self/root/etc/passwd", "/proc/self/cwd/../etc/passwd", "/proc/thread-self/root/etc/passwd", "/dev/fd/../../../etc/passwd"};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
        if (fopen(paths[i], "r")) printf("ESCAPED opened %s\n", paths[i]);
    return 0;
}

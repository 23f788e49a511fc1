// expect: AC
// attack: T1 the artifact's name is taken by the compiler alone; the run sees only its own copy
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>
int main(void) {
    if (symlink("/etc/passwd", "planted") != 0) return 1;
    puts("done");
    return 0;
}

// expect: AC
// attack: T7 write_outside: leaves files where every later run would see them
// control: read_only_root
#include <stdio.h>
int main(void) {
    const char *paths[] = {"/planted", "/etc/ld.so.preload", "/dev/planted", "/usr/bin/planted", "/usr/lib/planted", "/proc/planted"};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
        if (fopen(paths[i], "w")) printf("ESCAPED wrote %s\n", paths[i]);
    return 0;
}

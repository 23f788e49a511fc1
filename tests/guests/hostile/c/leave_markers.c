// expect: AC
// attack: T7 leave_markers: leaves files for the next run, and looks for those of an earlier one
// control: private_mounts
#include <stdio.h>
int main(void) {
    const char *paths[] = {"/tmp/marker", "/dev/shm/marker", "/box/marker"};
    for (int i = 0; i < 3; i++) {
        if (fopen(paths[i], "r")) printf("ESCAPED found %s\n", paths[i]);
        FILE *file = fopen(paths[i], "w");
        if (!file || fputs("left by c", file) == EOF || fclose(file) != 0) return 1;
    }
    return 0;
}

// expect: AC
// attack: T7 touch_devices: leaves a mark in the times of the devices that all runs share
// alone: as the owner of the host's devices it would change them
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
int main(void) {
    const char *names[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/usr/bin/env"};
    for (int i = 0; i < 6; i++)
        if (utimensat(AT_FDCWD, names[i], 0, 0) == 0) printf("ESCAPED touched %s\n", names[i]);
    return 0;
}

// expect: AC
// attack: T6 T7 change_devices: changes the devices that all runs share
// alone: without its user id's limits it would change the host's own devices
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    const char *names[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
    for (int i = 0; i < 5; i++) {
        if (chmod(names[i], 0) == 0) printf("ESCAPED closed %s\n", names[i]);
        if (chown(names[i], getuid(), getgid()) == 0) printf("ESCAPED took %s\n", names[i]);
        if (unlink(names[i]) == 0 || rename(names[i], "/tmp/device") == 0) printf("ESCAPED removed %s\n", names[i]);
    }
    return 0;
}

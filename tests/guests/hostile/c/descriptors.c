// expect: AC
// attack: T23 descriptors: looks for descriptors that the jail forgot to close
// control: closed_descriptors
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
int main(void) {
    for (int fd = 3; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0) printf("ESCAPED was given descriptor %d\n", fd);
    return 0;
}

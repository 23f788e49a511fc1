// expect: AC
// attack: T21 T26 socket_families: tries every address family that a kernel may have, alone and as a pair
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    int pair[2];
    for (int family = 2; family < 46; family++) {
        if (family == AF_INET || family == AF_INET6) continue;
        if (socket(family, 99, 0) >= 0 || errno != EAFNOSUPPORT) printf("ESCAPED family %d: errno %d\n", family, errno);
        if (socketpair(family, 99, 0, pair) >= 0 || errno != EAFNOSUPPORT) printf("ESCAPED pair of family %d: errno %d\n", family, errno);
    }
    return 0;
}

// expect: AC
// attack: T21 T26 socket_packet: sends frames past the network stack
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    // The kernel would ask for a capability: EPERM. The filter does not let it ask.
    if (socket(AF_PACKET, SOCK_RAW, 3) >= 0 || errno != EAFNOSUPPORT) printf("ESCAPED reached the kernel: errno %d\n", errno);
    return 0;
}

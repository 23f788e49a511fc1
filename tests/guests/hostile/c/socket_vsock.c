// expect: AC
// attack: T21 T26 socket_vsock: calls the hypervisor of the machine
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, 99};
    for (int i = 0; i < 4; i++)
        if (socket(AF_VSOCK, types[i], 0) >= 0 || errno != EAFNOSUPPORT) printf("ESCAPED reached the kernel: errno %d\n", errno);
    return 0;
}

// expect: AC
// attack: T21 T26 socket_crypto: uses the kernel's cipher engine, known for its holes
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    // Without the module the kernel answers EAFNOSUPPORT, as the filter does: any other answer has passed the filter.
    if (socket(AF_ALG, SOCK_SEQPACKET, 0) >= 0 || errno != EAFNOSUPPORT) printf("ESCAPED reached the kernel: errno %d\n", errno);
    if (socket(AF_ALG, 99, 0) >= 0 || errno != EAFNOSUPPORT) printf("ESCAPED reached the kernel: errno %d\n", errno);
    return 0;
}

// expect: AC
// attack: T26 raw_socket: sends packets of its own making
// control: seccomp
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    // The kernel would ask for a capability: EPERM. The filter does not let it ask.
    if (socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0 || errno != ESOCKTNOSUPPORT) printf("ESCAPED reached the kernel: errno %d\n", errno);
    if (socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6) >= 0 || errno != ESOCKTNOSUPPORT) printf("ESCAPED reached the kernel by version 6: errno %d\n", errno);
    return 0;
}

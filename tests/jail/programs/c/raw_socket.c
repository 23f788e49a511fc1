// expect: AC
// attack: T26 raw_socket: sends packets of its own making
// control: no_capabilities
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    if (socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0) puts("ESCAPED has a raw socket");
    if (socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6) >= 0) puts("ESCAPED has a raw socket of version 6");
    return 0;
}

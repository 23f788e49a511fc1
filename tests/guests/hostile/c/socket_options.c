// expect: AC
// attack: T16 T21 socket_options: options of sockets that take uncounted memory or change the kernel's code
// control: seccomp
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
static void try(const char *name, int type, int level, int option, const void *value, socklen_t size) {
    int made = socket(AF_INET6, type, 0);
    if (setsockopt(made, level, option, value, size) == 0) printf("ESCAPED %s reached the kernel\n", name);
}
int main(void) {
    struct tcp_md5sig key = {.tcpm_keylen = 80};
    ((struct sockaddr_in6 *)&key.tcpm_addr)->sin6_family = AF_INET6;
    struct ipv6_mreq group = {.ipv6mr_interface = 1, .ipv6mr_multiaddr.s6_addr = {0xff, 2, [15] = 9}};
    static struct { struct cmsghdr header; char content[60000]; } options = {{sizeof options, IPPROTO_UDP, 0}, ""};
    unsigned char route[2040] = {[1] = 254, [2] = 4, [4] = 126};
    int encapsulation = 2;
    try("TCP_MD5SIG", SOCK_STREAM, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key);
    try("IPV6_ADD_MEMBERSHIP", SOCK_DGRAM, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof group);
    try("IPV6_2292PKTOPTIONS", SOCK_DGRAM, IPPROTO_IPV6, IPV6_2292PKTOPTIONS, &options, sizeof options);
    try("IPV6_RTHDR", SOCK_DGRAM, IPPROTO_IPV6, IPV6_RTHDR, route, sizeof route);
    try("UDP_ENCAP", SOCK_DGRAM, IPPROTO_UDP, 100, &encapsulation, sizeof encapsulation);
    try("UDP_ENCAP by UDPLITE", SOCK_DGRAM, IPPROTO_UDPLITE, 100, &encapsulation, sizeof encapsulation);
    try("SO_TIMESTAMP", SOCK_DGRAM, SOL_SOCKET, SO_TIMESTAMP, &encapsulation, sizeof encapsulation);
    return 0;
}

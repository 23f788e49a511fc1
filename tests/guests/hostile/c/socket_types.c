// expect: AC
// attack: T21 T26 socket_types: types and protocols for which the kernel starts modprobe on the host
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
static void refused(const char *name, long result, int right) {
    if (result >= 0 || errno != right) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    int pair[2];
    refused("SOCK_PACKET of AF_INET", socket(AF_INET, 10, 0), ESOCKTNOSUPPORT);
    refused("SOCK_RAW of AF_UNIX", socket(AF_UNIX, SOCK_RAW, 0), ESOCKTNOSUPPORT);
    refused("a pair of SOCK_RAW", socketpair(AF_UNIX, SOCK_RAW, 0, pair), ESOCKTNOSUPPORT);
    refused("no type", socket(AF_INET, 0, 0), ESOCKTNOSUPPORT);
    refused("ICMP", socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EPROTONOSUPPORT);
    refused("SCTP", socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP), EPROTONOSUPPORT);
    refused("SCTP of packets", socket(AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP), ESOCKTNOSUPPORT);
    refused("UDP of a stream", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    return 0;
}

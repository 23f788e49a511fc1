// expect: AC
// attack: T21 T26 socket_netlink: talks to the kernel's network configuration
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
    for (int protocol = 0; protocol < 22; protocol++)
        if (socket(AF_NETLINK, SOCK_RAW, protocol) >= 0) printf("ESCAPED has a netlink socket of protocol %d\n", protocol);
    return 0;
}

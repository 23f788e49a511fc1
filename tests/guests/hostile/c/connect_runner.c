// expect: AC
// attack: T26 T27 connect_runner: connects to a port of the runner's host, which the input names
// control: network_namespace
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    int port;
    if (scanf("%d", &port) != 1) return 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) puts("ESCAPED connected to the host");
    return 0;
}

// expect: AC
// attack: T28 abstract_socket: connects to an abstract socket of the host, whose name no mount hides
// control: network_namespace
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
int main(void) {
    int port, key;
    if (scanf("%d %d", &port, &key) != 2) return 1;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int length = snprintf(to.sun_path + 1, sizeof to.sun_path - 1, "rustbox-beacon-%d", key);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, offsetof(struct sockaddr_un, sun_path) + 1 + length) == 0)
        puts("ESCAPED connected to the host");
    return 0;
}

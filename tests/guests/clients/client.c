// Input: lines of `case scheme host port`. Output: `case: answer` or `case: error`.
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
static void get(const char *name, const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found;
    int problem = getaddrinfo(host, port, &hints, &found);
    if (problem) {
        printf("%s: %s\n", name, gai_strerror(problem));
        return;
    }
    char text[4096] = {0};
    size_t have = 0;
    ssize_t got = -1;
    int fd = socket(found->ai_family, SOCK_STREAM, 0);
    struct timeval patience = {strcmp(name, "silent") ? 20 : 1, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, found->ai_addr, found->ai_addrlen) == 0) {
        ssize_t sent = send(fd, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL);  // the kernel reports a reset once
        while (sent > 0 && have < sizeof text - 1 && (got = read(fd, text + have, sizeof text - 1 - have)) > 0) have += got;
    }
    if (got < 0) printf("%s: %s\n", name, strerror(errno));
    else printf("%s: %s\n", name, strstr(text, "\r\n\r\n") ? strstr(text, "\r\n\r\n") + 4 : text);
    close(fd);
    freeaddrinfo(found);
}
int main(void) {
    char name[64], scheme[16], host[256], port[16];
    while (scanf("%63s %15s %255s %15s", name, scheme, host, port) == 4)
        if (strcmp(scheme, "http") == 0) get(name, host, port);
    return 0;
}

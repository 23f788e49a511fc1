#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
extern char **environ;
int main(void) {
    const char *addresses[] = {"169.254.169.254", "169.254.170.2"};
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
        inet_pton(AF_INET, addresses[i], &to.sin_addr);
        int stream = socket(AF_INET, SOCK_STREAM, 0);
        if (stream < 0 || connect(stream, (struct sockaddr *)&to, sizeof to)) {
            puts("refused");
            continue;
        }
        const char *request = "GET /latest/meta-data/ HTTP/1.0\r\n\r\n";
        char answer[4096] = {0};
        write(stream, request, strlen(request));
        for (ssize_t got, have = 0; (got = read(stream, answer + have, sizeof answer - 1 - have)) > 0;) have += got;
        puts(answer);
    }
    for (char **variable = environ; *variable; variable++) puts(*variable);
    return 0;
}

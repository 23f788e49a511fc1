// expect: AC
// attack: T26 connect_out: reaches for public, private, link-local and metadata addresses
// control: unreachable_network
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    const char *addresses[] = {"1.1.1.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "169.254.170.2", "172.17.0.1"};
    time_t begun = time(0);
    for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
            struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
            inet_pton(AF_INET, addresses[i], &to.sin_addr);
            int fd = socket(AF_INET, type, 0);
            if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == ECONNREFUSED)
                printf("ESCAPED reached %s\n", addresses[i]);
            close(fd);
        }
    }
    if (time(0) - begun > 2) puts("ESCAPED a refusal took its time");
    return 0;
}

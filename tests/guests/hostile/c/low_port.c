// expect: AC
// attack: T26 low_port: listens where a service of the system would
// control: no_capabilities
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(22)};
    if (bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&here, sizeof here) == 0) puts("ESCAPED listens on port 22");
    return 0;
}

// expect: AC
// attack: T26 connect_out: sends datagrams to addresses of both versions
// control: unreachable_network
#include <initializer_list>
#include <arpa/inet.h>
#include <cstdio>
#include <sys/socket.h>
#include <unistd.h>
int main() {
    for (const char *address : {"8.8.8.8", "10.0.0.2", "169.254.169.254", "100.100.100.200", "192.168.178.1", "224.0.0.1"}) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(53);
        inet_pton(AF_INET, address, &to.sin_addr);
        int endpoint = socket(AF_INET, SOCK_DGRAM, 0);
        if (sendto(endpoint, "question", 8, 0, reinterpret_cast<sockaddr *>(&to), sizeof to) == 8) std::printf("ESCAPED sent to %s\n", address);
        close(endpoint);
    }
    for (const char *address : {"2001:4860:4860::8888", "fd00:ec2::254", "::1"}) {
        sockaddr_in6 to{};
        to.sin6_family = AF_INET6;
        to.sin6_port = htons(53);
        inet_pton(AF_INET6, address, &to.sin6_addr);
        int endpoint = socket(AF_INET6, SOCK_DGRAM, 0);
        if (sendto(endpoint, "question", 8, 0, reinterpret_cast<sockaddr *>(&to), sizeof to) == 8) std::printf("ESCAPED sent to %s\n", address);
        close(endpoint);
    }
}

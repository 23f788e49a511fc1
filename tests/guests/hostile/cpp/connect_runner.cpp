// expect: AC
// attack: T26 T27 connect_runner: connects to a port of the runner's host, which the input names
// control: network_namespace
#include <arpa/inet.h>
#include <cstdio>
#include <iostream>
#include <sys/socket.h>
int main() {
    unsigned short port;
    std::cin >> port;
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    if (connect(socket(AF_INET, SOCK_STREAM, 0), reinterpret_cast<sockaddr *>(&to), sizeof to) == 0) std::puts("ESCAPED connected to the host");
}

// Input: lines of `case scheme host port`. Output: `case: answer` or `case: error`.
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <netdb.h>
#include <string>
#include <sys/socket.h>
#include <sys/time.h>
#include <system_error>
#include <unistd.h>
std::string get(const std::string &host, const std::string &port, int secs) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    if (int problem = getaddrinfo(host.c_str(), port.c_str(), &hints, &found)) return gai_strerror(problem);
    std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
    int fd = socket(found->ai_family, found->ai_socktype, 0);
    timeval patience{secs, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, found->ai_addr, found->ai_addrlen)) return std::generic_category().message(errno);
    const std::string request = "GET / HTTP/1.0\r\n\r\n";
    ssize_t got = send(fd, request.data(), request.size(), MSG_NOSIGNAL);  // the kernel reports a reset once
    std::string text;
    char part[512];
    while (got > 0 && (got = read(fd, part, sizeof part)) > 0) text.append(part, got);
    if (got < 0) text = std::generic_category().message(errno);
    close(fd);
    auto begin = text.find("\r\n\r\n");
    return begin == std::string::npos ? text : text.substr(begin + 4);
}
int main() {
    std::string name, scheme, host, port;
    while (std::cin >> name >> scheme >> host >> port)
        if (scheme == "http") std::cout << name << ": " << get(host, port, name == "silent" ? 1 : 20) << std::endl;
}

// expect: AC
// attack: T29 host_name: learns the host's name
// control: uts_namespace
#include <cstdio>
#include <string>
#include <unistd.h>
int main() {
    char name[256] = "";
    gethostname(name, sizeof name);
    if (std::string(name) != "rustbox-sandbox") std::printf("ESCAPED the host is %s\n", name);
}

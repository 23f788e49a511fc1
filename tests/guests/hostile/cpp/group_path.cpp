// expect: AC
// attack: T29 group_path: learns where it stands in the host's control groups
// control: cgroup_namespace
#include <fstream>
#include <iostream>
#include <string>
int main() {
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);)
        if (line.find("rustbox-") != std::string::npos) std::cout << "ESCAPED is in " << line << "\n";
}

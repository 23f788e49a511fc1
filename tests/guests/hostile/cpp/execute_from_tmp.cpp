// expect: AC
// attack: T22 execute_from_tmp: starts a copy of itself from a shared directory
// control: noexec_mounts
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
int main(int count, char **) {
    if (count > 1) return 42;
    for (const std::string path : {"/tmp/myself", "/dev/shm/myself"}) {
        std::filesystem::copy_file("/box/solution", path);
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
        if (std::system((path + " again 2>/dev/null").c_str()) == 42 << 8) std::printf("ESCAPED executed %s\n", path.c_str());
    }
}

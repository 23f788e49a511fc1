// expect: AC
// attack: T23 descriptors: lists its descriptors and finds three, and the one that lists
// control: closed_descriptors
#include <cstdio>
#include <filesystem>
int main() {
    int found = 0;
    for (const auto &entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code failed;
        std::printf("%s: %s\n", entry.path().c_str(), std::filesystem::read_symlink(entry, failed).c_str());
        found++;
    }
    if (found > 4) std::printf("ESCAPED has %d descriptors\n", found);
}

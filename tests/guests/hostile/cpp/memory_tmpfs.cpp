// expect: MLE
// attack: T6 T16 memory_tmpfs: copies one file again and again
// control: memory_limit
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
int main() {
    namespace fs = std::filesystem;
    std::ofstream("/box/part") << std::string(1 << 20, 'x');
    const fs::path places[] = {"/tmp", "/dev/shm", "/box"};
    for (int i = 0; i < 330; i++) fs::copy_file("/box/part", places[i % 3] / ("copy" + std::to_string(i)));
    std::puts("ESCAPED stored 330 MiB in files");
}

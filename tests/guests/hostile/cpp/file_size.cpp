// expect: FSE
// attack: T6 file_size: resizes a file beyond the limit
// control: rlimits
#include <cstdio>
#include <filesystem>
#include <fstream>
int main() {
    std::ofstream("big").put('x');
    std::filesystem::resize_file("big", 4 << 20);
    if (std::filesystem::file_size("big") == 4 << 20) std::puts("ESCAPED made a file of 4 MiB");
}

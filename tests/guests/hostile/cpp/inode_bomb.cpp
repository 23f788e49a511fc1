// expect: AC
// attack: T6 inode_bomb: directories, which no byte limit counts
// control: inode_limit
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
int main() {
    std::error_code failed;
    int made = 0;
    while (made < 20'000 && !failed) std::filesystem::create_directory("/tmp/directory" + std::to_string(made++), failed);
    if (!failed) std::printf("ESCAPED made %d directories\n", made);
}

// expect: AC
// attack: T1 T2 planted_links: fills the box with links that lead out and around
// control: read_only_root
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
int main() {
    namespace fs = std::filesystem;
    fs::remove("solution");
    fs::create_symlink("solution", "solution");
    int links = 0;
    for (const char *target : {"/", "..", "/proc/1/root", "/proc/self/fd/1", "/dev/zero"}) fs::create_symlink(target, "link" + std::to_string(links++));
    std::error_code failed;
    fs::create_hard_link("/usr/bin/env", "env", failed);
    if (!failed) std::puts("ESCAPED linked to a file of the host");
    fs::create_symlink("/", "/planted", failed);
    if (!failed) std::puts("ESCAPED planted a link beside the box");
    fs::rename("/box", "/tmp/box", failed);
    if (!failed) std::puts("ESCAPED moved the box");
}

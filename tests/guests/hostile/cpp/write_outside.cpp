// expect: AC
// attack: T7 write_outside: links and directories where every later run would see them
// control: read_only_root
#include <initializer_list>
#include <cstdio>
#include <filesystem>
#include <system_error>
int main() {
    namespace fs = std::filesystem;
    for (const char *place : {"/", "/etc", "/dev", "/usr", "/usr/lib", "/opt", "/proc"}) {
        std::error_code failed;
        fs::create_directory_symlink("/box", fs::path(place) / "planted", failed);
        if (!failed) std::printf("ESCAPED left a link in %s\n", place);
    }
}

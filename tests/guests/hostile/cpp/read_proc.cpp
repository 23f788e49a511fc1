// expect: AC
// attack: T29 read_proc: lists /proc and looks for what is not a process of its own
// control: proc_subset
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <string>
int main() {
    for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (!std::isdigit(static_cast<unsigned char>(name[0])) && name != "self" && name != "thread-self") std::printf("ESCAPED found %s\n", entry.path().c_str());
    }
}

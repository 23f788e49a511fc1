// expect: AC
// attack: T5 read_host_files: walks through the whole tree and looks for what is not the jail's
// control: mount_namespace
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>
int main() {
    namespace fs = std::filesystem;
    const std::set<std::string> known = {"bin", "box", "dev", "etc", "lib", "lib32", "lib64", "libx32", "mnt", "opt", "proc", "sbin", "tmp", "usr"};
    for (const auto &entry : fs::directory_iterator("/"))
        if (!known.count(entry.path().filename())) std::printf("ESCAPED found %s\n", entry.path().c_str());
    const std::set<std::string> own = {"alternatives", "hosts", "ld.so.cache", "mtab", "nsswitch.conf", "resolv.conf", "ssl"};
    for (const auto &entry : fs::directory_iterator("/etc")) {
        const std::string name = entry.path().filename();
        if (!own.count(name) && name.rfind("java", 0) != 0) std::printf("ESCAPED found /etc/%s\n", name.c_str());
    }
}

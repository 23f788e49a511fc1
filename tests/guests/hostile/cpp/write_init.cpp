// expect: AC
// attack: T31 write_init: opens what /proc shows of process 1 as streams
// alone: several controls: the user id, hidden processes, and a root of its own
#include <cstdio>
#include <fstream>
#include <string>
int main() {
    for (const char *name : {"mem", "comm", "oom_score_adj", "maps", "environ", "auxv", "syscall", "stack", "personality"}) {
        const std::string path = std::string("/proc/1/") + name;
        if (std::ifstream(path).is_open() || std::ofstream(path).is_open()) std::printf("ESCAPED opened %s\n", path.c_str());
    }
}

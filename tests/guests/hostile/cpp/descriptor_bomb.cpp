// expect: AC
// attack: T6 descriptor_bomb: opens streams and keeps them
// control: rlimits
#include <cstdio>
#include <fstream>
#include <list>
int main() {
    std::list<std::ifstream> streams;
    while (streams.size() < 300 && streams.emplace_back("/dev/null").is_open()) {}
    if (streams.back().is_open()) std::printf("ESCAPED has %zu streams\n", streams.size());
}

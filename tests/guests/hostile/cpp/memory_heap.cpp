// expect: MLE
// attack: T16 memory_heap: containers that grow
// control: memory_limit
#include <cstdio>
#include <deque>
#include <string>
int main() {
    std::deque<std::string> texts;
    while (texts.size() < 3'000'000) texts.emplace_back(100, static_cast<char>('a' + texts.size() % 26));
    std::printf("ESCAPED holds %zu texts\n", texts.size());
}

// expect: MLE
// attack: T16 memory_exceptions: catches every failed allocation and asks for less, until nothing is left
// control: memory_limit
#include <cstdio>
#include <cstring>
#include <new>
int main() {
    std::size_t held = 0;
    for (std::size_t size = std::size_t{1} << 45; size >= 4096 && held < (320u << 20);) {
        try {
            char *block = new char[size];
            std::size_t used = size < (8u << 20) ? size : 8u << 20;
            std::memset(block, 1, used);
            held += used;
        } catch (const std::bad_alloc &) {
            size /= 2;
        }
    }
    std::printf("ESCAPED holds %zu bytes\n", held);
}

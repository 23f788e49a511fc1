// expect: RE
// attack: T6 T20 compile_huge_array: a small source becomes a large program
// control: rlimits
#include <iostream>
struct Block {
    volatile long first = 1;
    long rest[6'000'000] = {};
};
Block block;
int main() {
    std::cout << "ESCAPED the program has " << sizeof block << " bytes, " << block.first << "\n";
}

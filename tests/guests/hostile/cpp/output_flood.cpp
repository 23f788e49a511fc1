// expect: SIG
// attack: T14 output_flood: lines without end, flushed one by one
// control: output_limit
#include <iostream>
int main() {
    for (int line = 0; line < 40'000; line++) std::cout << line << " is a short line" << std::endl;
    std::cout << "ESCAPED wrote 860 KB" << std::endl;
}

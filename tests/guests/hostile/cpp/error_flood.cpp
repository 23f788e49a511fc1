// expect: SIG
// attack: T14 error_flood: the same on the error stream
// control: output_limit
#include <iostream>
#include <string>
int main() {
    const std::string complaint(4096, '!');
    for (int i = 0; i < 160; i++) std::cerr << complaint;
    std::cout << "ESCAPED wrote 640 KiB of errors\n";
}

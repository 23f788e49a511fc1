// expect: AC
// attack: T5 compile_has_secret: the compiler tells which files the host has
// control: mount_namespace
#include <iostream>
int main() {
#if __has_include("/etc/passwd") || __has_include("/etc/shadow") || __has_include("/etc/machine-id")
    std::cout << "ESCAPED the host has files of its own\n";
#endif
}

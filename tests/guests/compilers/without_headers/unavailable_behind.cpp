#include <iostream>
[[gnu::unavailable]] void *operator new(std::size_t);
int main() {}

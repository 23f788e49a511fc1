#define NDEBUG
#include <cassert>
#include <iostream>
int main() { assert(0); std::cout << 1; }

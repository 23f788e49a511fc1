#include <iostream>
#include "util.hpp"
int main() { std::cout << twice(21) << "\n"; }

#define private public
#include <iostream>
#include <sstream>
int main() { std::stringbuf b; std::cout << b._M_mode; }

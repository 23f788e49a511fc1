#include <cstdlib>
#include <iostream>
int main() { auto g = std::getenv("GREETING"); std::cout << (g ? g : "none") << " " << std::getenv("PATH") << "\n"; }

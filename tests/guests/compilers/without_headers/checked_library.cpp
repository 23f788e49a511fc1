#define _GLIBCXX_DEBUG
#include <iostream>
#include <vector>
int main() { std::vector<int> v(1); volatile int i = 1; std::cout << v[i]; }

#include <iostream>
#include <vector>
#define _GLIBCXX_DEBUG
int main() { std::vector<int> v(2); v.resize(1); volatile int i = 1; std::cout << v[i]; }

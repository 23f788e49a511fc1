#include <iostream>
#include <string>
[[deprecated]] void *operator new(std::size_t);
int main(int n, char **a) { std::cout << std::string(n, 'x'); }

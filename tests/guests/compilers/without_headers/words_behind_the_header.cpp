#include <iostream> and more
int main() { std::cout << "ok\n"; }

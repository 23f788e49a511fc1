#include <iostream>
int f(bool b) { if (b) return 1; }
int main() { std::cout << f(true); }

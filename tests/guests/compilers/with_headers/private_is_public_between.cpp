#include <iostream>
#define private public
#include <queue>
class A { int x = 5; };
int main() { std::cout << A().x; }

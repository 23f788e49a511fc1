int before;
#include <iostream>
int main() { std::cout << "ok\n"; }

#include <iostream>
#define cout cerr
int main() { std::cout << "ok\n"; }

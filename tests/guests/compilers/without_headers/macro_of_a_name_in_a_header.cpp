#define cout cerr
#include <iostream>
int main() { std::cout << "ok\n"; }

#if 0
#include <iostream>
#endif
int main() { std::cout << "ok\n"; }

int a = __COUNTER__;
#include <iostream>
int main() { std::cout << __FILE__ << __LINE__ << " " << __INCLUDE_LEVEL__ << " " << __COUNTER__ << __COUNTER__; }

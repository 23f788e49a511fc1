#line 77 "other.cpp"
#include <iostream>
int main() { std::cout << __FILE__ << __LINE__ << " " << __INCLUDE_LEVEL__ << " " << __COUNTER__ << __COUNTER__; }

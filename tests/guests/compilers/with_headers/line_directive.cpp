#include <iostream>
#line 77 "other.cpp"
int main() { std::cout << __FILE__ << __LINE__; int x = }

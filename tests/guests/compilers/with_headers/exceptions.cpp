#include <iostream>
#include <stdexcept>
int main() { try { throw std::out_of_range("x"); }
catch (const std::exception &e) { std::cout << e.what(); } throw 5; }

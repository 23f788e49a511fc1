#include <map>
#include <cassert>
#include <iostream>
int main() { std::cout << "ok\n"; }

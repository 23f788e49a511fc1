#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>
int f(volatile int n) { return n ? f(n - 1) + 1 : n; }
int main() { std::cout << f(50000) << "\n"; }

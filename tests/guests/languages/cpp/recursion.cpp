#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>
int f(volatile int n) { volatile int a[4]; a[n & 3] = n; return f(n + 1) + a[n & 3]; }
int main() { std::cout << "before" << std::endl << f(0) << "\n"; }

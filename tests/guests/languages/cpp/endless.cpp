#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

int main() { std::cout << "before" << std::endl; volatile unsigned i = 0; for (;;) i = i + 1; }

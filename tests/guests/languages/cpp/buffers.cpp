#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

int main() { std::cout << "before" << std::endl; std::vector<std::vector<char>> all; for (;;) all.emplace_back(1 << 20, 'x'); }

#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

int main() { long sum = 0; for (int i = 0; i < 3000; i++) sum += std::vector<char>(1 << 20, 1)[i]; std::cout << (sum == 3000 ? "ok" : "bad") << "\n"; }

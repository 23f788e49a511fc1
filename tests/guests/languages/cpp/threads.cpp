#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

int main() { std::vector<std::thread> all; std::vector<int> n(6); int sum = 0; for (int i = 0; i < 6; i++) all.emplace_back([&n, i] { n[i] = i; }); for (auto &t : all) t.join(); for (int i : n) sum += i; std::cout << sum << "\n"; }

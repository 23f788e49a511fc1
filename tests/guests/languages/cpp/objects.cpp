#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

int main() { std::cout << "before" << std::endl; std::vector<std::unique_ptr<long>> all; for (long i = 0;; i++) all.emplace_back(new long(i)); }

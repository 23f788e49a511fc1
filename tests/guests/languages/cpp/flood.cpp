#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

int main() { std::cout << "before" << std::endl; for (std::string y(65536, 'y');;) std::cout << y; }

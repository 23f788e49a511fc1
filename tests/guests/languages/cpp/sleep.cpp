#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

int main() { std::cout << "before" << std::endl; std::this_thread::sleep_for(std::chrono::seconds(60)); }

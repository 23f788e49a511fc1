// expect: TLE
// attack: T17 sleep: waits for a time that is far away
// control: wall_limit
#include <chrono>
#include <cstdio>
#include <thread>
int main() {
    std::this_thread::sleep_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(1200));
    std::puts("ESCAPED slept 1.2 s");
}

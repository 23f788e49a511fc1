// expect: PLE SIG
// attack: T8 thread_bomb: threads count as processes
// control: process_limit
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <thread>
int main() {
    try {
        for (int i = 0; i < 60; i++) std::thread([] { std::this_thread::sleep_for(std::chrono::hours(1)); }).detach();
    } catch (const std::system_error &) {
        return 1;
    }
    std::puts("ESCAPED has 60 threads");
    std::fflush(stdout);
    std::_Exit(0);
}

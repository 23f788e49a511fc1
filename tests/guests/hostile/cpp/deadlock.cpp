// expect: TLE
// attack: T17 deadlock: two threads wait for each other's lock
// control: wall_limit
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>
int main() {
    std::timed_mutex first, second;
    auto lock = [](std::timed_mutex &one, std::timed_mutex &other) {
        std::lock_guard hold(one);
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        if (other.try_lock_for(std::chrono::milliseconds(900))) other.unlock();
    };
    std::thread thread(lock, std::ref(first), std::ref(second));
    lock(second, first);
    thread.join();
    std::puts("ESCAPED stood for 1.2 s");
}

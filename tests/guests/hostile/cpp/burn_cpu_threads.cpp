// expect: TLE
// attack: T17 burn_cpu_threads: five threads share the work
// control: cpu_limit
#include <atomic>
#include <cstdio>
#include <ctime>
#include <thread>
#include <vector>
int main() {
    std::atomic<long> turns{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 5; i++)
        threads.emplace_back([&] {
            while (std::clock() < CLOCKS_PER_SEC * 7 / 10) turns++;
        });
    for (auto &thread : threads) thread.join();
    std::printf("ESCAPED turned %ld times in 0.7 s of CPU time\n", turns.load());
}

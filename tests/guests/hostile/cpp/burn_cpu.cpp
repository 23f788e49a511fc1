// expect: TLE
// attack: T17 burn_cpu: sorts without end
// control: cpu_limit
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>
int main() {
    std::vector<unsigned> numbers(100000);
    unsigned state = 1;
    while (std::clock() < CLOCKS_PER_SEC * 7 / 10) {
        for (auto &number : numbers) number = state = state * 1664525 + 1013904223;
        std::sort(numbers.begin(), numbers.end());
    }
    std::printf("ESCAPED sorted for 0.7 s, up to %u\n", numbers.back());
}

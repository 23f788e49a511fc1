// What C++ programs use of the standard library. Prints "ok <part>" or "FAILED <part> ..."; exit code 1 if any failed.
#include <algorithm>
#include <any>
#include <atomic>
#include <bitset>
#include <chrono>
#include <complex>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <locale>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <shared_mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

namespace fs = std::filesystem;
using namespace std::chrono_literals;

#define NEED(condition) do { if (!(condition)) throw std::runtime_error("line " + std::to_string(__LINE__) + ": " #condition); } while (0)

void values() {
    std::vector<int> numbers(1000);
    std::iota(numbers.begin(), numbers.end(), 0);
    std::shuffle(numbers.begin(), numbers.end(), std::mt19937{std::random_device{}()});
    std::sort(numbers.begin(), numbers.end());
    NEED(numbers[7] == 7 && std::accumulate(numbers.begin(), numbers.end(), 0L) == 499500);
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << std::setw(5) << std::setfill('0') << 42 << std::fixed << std::setprecision(2) << 1.5;
    NEED(text.str() == "000421.50" && std::bitset<8>(5).count() == 2 && std::abs(std::complex<double>(3, 4)) == 5);
    std::variant<int, std::string> either = "x";
    std::map<std::string, std::any> things{{"a", 1}};
    NEED(std::get<std::string>(either) == "x" && std::any_cast<int>(things["a"]) == 1 && !std::optional<int>{});
    try {
        std::vector<int>{}.at(1);
        NEED(false);
    } catch (const std::out_of_range&) {
    }
    std::pmr::monotonic_buffer_resource pool;
    std::pmr::vector<int> pooled({1, 2, 3}, &pool);
    std::unordered_map<int, int> large;
    for (int i = 0; i < 200000; i++) large[i] = i;
    NEED(pooled.size() == 3 && large.size() == 200000);
}

void files() {
    fs::create_directories("made/deep");
    std::ofstream("made/a") << "hello\n";
    fs::create_hard_link("made/a", "made/b");
    fs::create_symlink("a", "made/c");
    fs::rename("made/b", "made/d");
    fs::copy_file("made/a", "made/e");
    fs::copy("made", "copied", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    fs::permissions("made/a", fs::perms::owner_read | fs::perms::owner_write);
    fs::last_write_time("made/a", fs::file_time_type::clock::now());
    fs::resize_file("made/a", 4);
    NEED(fs::file_size("made/a") == 4 && fs::read_symlink("made/c") == "a" && fs::equivalent("made/a", "made/c"));
    NEED(std::distance(fs::recursive_directory_iterator("made"), {}) == 5 && fs::space("/tmp").capacity > 0);
    NEED(fs::canonical("made/c").filename() == "a" && fs::status("made").type() == fs::file_type::directory);
    std::string line;
    std::fstream stream("copied/a", std::ios::in | std::ios::out);
    NEED(std::getline(stream, line) && line == "hello" && fs::remove_all("made") == 6 && fs::remove_all("copied") == 6);
    fs::current_path(fs::temp_directory_path());
    NEED(std::tmpfile() != nullptr);
}

void threads() {
    std::mutex lock;
    std::condition_variable changed;
    int total = 0;
    std::vector<std::thread> workers;
    for (int i = 0; i < 3; i++)
        workers.emplace_back([&, i] { std::lock_guard guard(lock); total += i; changed.notify_all(); });
    {
        std::unique_lock guard(lock);
        NEED(changed.wait_for(guard, 5s, [&] { return total == 3; }));
    }
    for (auto& worker : workers) worker.join();
    NEED(std::async(std::launch::async, [] { return 5; }).get() == 5);
    std::promise<int> promise;
    auto future = promise.get_future();
    NEED(future.wait_for(1ms) == std::future_status::timeout);
    promise.set_value(1);
    std::shared_timed_mutex shared;
    NEED(shared.try_lock_for(1ms) && future.get() == 1 && std::thread::hardware_concurrency() > 0);
    shared.unlock();
    std::once_flag once;
    std::call_once(once, [&] { total++; });
    static thread_local int local = 4;
    std::atomic<int> counter{local};
    std::this_thread::sleep_for(1ms);
    std::this_thread::yield();
    NEED(++counter == 5 && std::chrono::steady_clock::now() > std::chrono::steady_clock::time_point{});
}

void processes() {
    NEED(std::system("exit 3") == 3 << 8);
    std::unique_ptr<FILE, int (*)(FILE*)> shell(popen("echo hi | tr a-z A-Z", "r"), pclose);
    char line[8];
    NEED(std::fgets(line, sizeof line, shell.get()) && std::string_view(line) == "HI\n" && std::getenv("HOME") && std::time(nullptr) > 0);
}

int main() {
    int code = 0;
    for (auto [name, part] : {std::pair{"values", values}, {"files", files}, {"threads", threads}, {"processes", processes}}) {
        try {
            part();
            std::cout << "ok " << name << std::endl;
        } catch (const std::exception& error) {
            std::cout << "FAILED " << name << " " << error.what() << std::endl;
            code = 1;
        }
    }
    return code;
}

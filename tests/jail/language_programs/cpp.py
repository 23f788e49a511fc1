"""Small C++ programs, one for each case."""


def program(body: str, before: str = "") -> str:
    names = ("chrono", "fstream", "iostream", "memory", "stdexcept", "string", "system_error", "thread", "vector")
    headers = "".join(f"#include <{name}>\n" for name in names)
    return f"{headers}{before}\nint main() {{ {body} }}\n"


_BEFORE = 'std::cout << "before" << std::endl; '

PROGRAMS = {
    "hello": program('std::cout << 6 * 7 << "\\n";'),
    "echo": program("std::cout << std::cin.rdbuf();"),
    "exit_7": program("std::exit(7);"),
    "unicode": program('std::string größe = "Привет, 世界 🎉"; std::cout << größe << std::endl;'),
    "flood": program(_BEFORE + "for (std::string y(65536, 'y');;) std::cout << y;"),
    "buffers": program(_BEFORE + "std::vector<std::vector<char>> all; for (;;) all.emplace_back(1 << 20, 'x');"),
    "objects": program(
        _BEFORE + "std::vector<std::unique_ptr<long>> all; for (long i = 0;; i++) all.emplace_back(new long(i));"
    ),
    "endless": program(_BEFORE + "volatile unsigned i = 0; for (;;) i = i + 1;"),
    "sleep": program(_BEFORE + "std::this_thread::sleep_for(std::chrono::seconds(60));"),
    "garbage": program(
        "long sum = 0; for (int i = 0; i < 3000; i++) sum += std::vector<char>(1 << 20, 1)[i];"
        ' std::cout << (sum == 3000 ? "ok" : "bad") << "\\n";'
    ),
    "throw": program(_BEFORE + 'throw std::runtime_error("broken");'),
    "warning": program('int unused; std::cout << "ok\\n";', "#warning careful"),
    "broken": "#include <vector>\nint main() {\n    std::vector<int> v = 5;\n}\n",
    "threads": program(
        "std::vector<std::thread> all; std::vector<int> n(6); int sum = 0;"
        " for (int i = 0; i < 6; i++) all.emplace_back([&n, i] { n[i] = i; });"
        ' for (auto &t : all) t.join(); for (int i : n) sum += i; std::cout << sum << "\\n";'
    ),
    "thread_bomb": program(
        "try { for (;;) std::thread([] { std::this_thread::sleep_for(std::chrono::seconds(60)); }).detach(); }"
        " catch (const std::system_error &) { return 1; }"
    ),
    "recursion": program(
        'std::cout << "before" << std::endl << f(0) << "\\n";',
        "int f(volatile int n) { volatile int a[4]; a[n & 3] = n; return f(n + 1) + a[n & 3]; }",
    ),
    "deep": program('std::cout << f(50000) << "\\n";', "int f(volatile int n) { return n ? f(n - 1) + 1 : n; }"),
    "limits": program('std::cout << std::ifstream("/proc/self/limits").rdbuf();'),
}

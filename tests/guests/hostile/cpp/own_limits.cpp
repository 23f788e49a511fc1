// expect: AC
// attack: T25 own_limits: reads its limits
// control: rlimits
#include <cstdio>
#include <map>
#include <string>
#include <sys/resource.h>
int main() {
    const std::map<int, rlim_t> expected = {{RLIMIT_FSIZE, 1 << 20}, {RLIMIT_NPROC, 8}, {RLIMIT_NOFILE, 64}, {RLIMIT_CORE, 0}, {RLIMIT_MSGQUEUE, 0}};
    for (const auto &[kind, value] : expected) {
        rlimit limit{};
        getrlimit(static_cast<__rlimit_resource>(kind), &limit);
        if (limit.rlim_cur != value || limit.rlim_max != value) std::printf("ESCAPED limit %d is %lu\n", kind, static_cast<unsigned long>(limit.rlim_max));
    }
}

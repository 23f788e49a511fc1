// expect: AC
// attack: T8 T31 other_processes: looks for processes that are not its own, through their sessions and priorities
// control: pid_namespace
#include <cerrno>
#include <cstdio>
#include <sched.h>
#include <unistd.h>
int main() {
    for (pid_t pid = 2; pid < 300; pid++) {
        if (pid == getpid()) continue;
        if (getsid(pid) >= 0 || errno != ESRCH) std::printf("ESCAPED found the session of %d\n", pid);
        if (sched_getscheduler(pid) >= 0) std::printf("ESCAPED found process %d\n", pid);
    }
    if (getppid() != 1) std::printf("ESCAPED the parent is %d\n", getppid());
}

// expect: SIG
// attack: T9 kill_everything: a child kills everybody, and its parent ignores what can be ignored
// alone: without a pid namespace it would end the host's processes
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
int main() {
    for (int number = 1; number < 65; number++) std::signal(number, SIG_IGN);
    if (fork() == 0) {
        kill(-1, SIGTERM);
        kill(1, SIGKILL);
        kill(getppid(), SIGKILL);
        _exit(0);
    }
    for (;;) pause();
}

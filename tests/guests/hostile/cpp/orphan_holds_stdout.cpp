// expect: AC
// attack: T11 orphan_holds_stdout: a shell's background job keeps the output open after the end
// control: pid_namespace
#include <cstdio>
#include <cstdlib>
int main() {
    std::puts("done");
    std::fflush(stdout);
    return std::system("setsid sleep 1000 &");
}

// expect: PLE
// attack: T8 process_bomb: shells that start shells in the background
// control: process_limit
#include <cstdio>
#include <cstdlib>
#include <string>
int main() {
    std::string command = "i=0; while [ $i -lt 40 ]; do sleep 100 >/dev/null & i=$((i+1)); done; echo $i";
    FILE *pipe = popen(("exec 2>/dev/null; " + command).c_str(), "r");
    int started = 0;
    if (std::fscanf(pipe, "%d", &started) != 1 || started != 40) return 1;
    std::puts("ESCAPED has 40 children of a shell");
}

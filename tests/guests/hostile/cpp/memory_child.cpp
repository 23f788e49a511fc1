// expect: MLE
// attack: T16 memory_child: a pipeline of children eats, and the parent hides their death behind exit code 0
// control: memory_limit
#include <cstdio>
#include <cstdlib>
int main() {
    FILE *pipe = popen("head -c 320M /dev/zero | tail -n 1 | wc -c", "r");
    long counted = 0;
    if (std::fscanf(pipe, "%ld", &counted) == 1 && counted == 320L << 20) std::puts("ESCAPED children held 320 MiB");
    std::system("sleep 0.5");
}

// expect: RE
// attack: T20 compile_include_output: the compiler reads its own output, and so waits for itself
// alone: without the control the compiler waits for ever, and there is no program to print anything
#include "/proc/self/fd/1"
int main(void) {
    return 0;
}

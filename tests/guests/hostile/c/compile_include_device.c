// expect: TLE RE MLE
// attack: T20 compile_include_device: the compiler reads an endless device
// alone: a compiler's bomb has no end that it could reach within a bound
#include "/dev/zero"
int main(void) {
    return 0;
}

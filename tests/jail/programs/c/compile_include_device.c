// expect: TLE RE MLE
// attack: T20 compile_include_device: the compiler reads an endless device
#include "/dev/zero"
int main(void) {
    return 0;
}

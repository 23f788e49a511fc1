// expect: TLE RE MLE
// attack: T20 compile_include_random: the compiler reads noise without an end
#include "/dev/urandom"
int main(void) {
    return 0;
}

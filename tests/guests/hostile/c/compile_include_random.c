// expect: TLE RE MLE
// attack: T20 compile_include_random: the compiler reads noise without an end
// alone: a compiler's bomb has no end that it could reach within a bound
#include "/dev/urandom"
int main(void) {
    return 0;
}

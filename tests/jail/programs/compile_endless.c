// expect: TLE RE MLE
// attack: T20 the compiler reads an endless device
#include "/dev/zero"
int main(void) { return 0; }

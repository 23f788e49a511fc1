// expect: RE
// attack: T5 the compiler is asked to show a host file
#include "/etc/passwd"
int main(void) { return 0; }

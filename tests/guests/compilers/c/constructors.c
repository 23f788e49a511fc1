#include <stdio.h>
#include <math.h>
__attribute__((constructor)) void f(void) { puts("first"); }
__attribute__((destructor)) void g(void) { puts("last"); }
int main(int n, char **a) { printf("main\n"); return 0; }

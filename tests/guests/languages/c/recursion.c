#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>
#include <pthread.h>
int f(volatile int n) { volatile int a[4]; a[n & 3] = n; return f(n + 1) + a[n & 3]; }
int main(void) { puts("before"); fflush(stdout); printf("%d\n", f(0)); return 0; }

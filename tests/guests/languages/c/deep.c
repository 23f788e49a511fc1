#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>
#include <pthread.h>
int f(volatile int n) { return n ? f(n - 1) + 1 : n; }
int main(void) { printf("%d\n", f(50000)); return 0; }

#include <stdio.h>
#include <math.h>
int *p = 5;
int main(int n, char **a) { printf("%d", n > 9 ? printf("%d", "s") : 7); return 0; }

#include <stdio.h>
#include <math.h>

int main(int n, char **a) { printf("%s %d %d", __FILE__, __STDC_VERSION__ == 201710L, __OPTIMIZE__); return 0; }

#include <stdio.h>
#include <math.h>

int main(int n, char **a) { printf("%f", sin(n) + pow(n, 3)); return 0; }

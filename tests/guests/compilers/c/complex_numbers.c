#include <stdio.h>
#include <complex.h>

int main(int n, char **a) { printf("%f", cabs(n * I)); return 0; }

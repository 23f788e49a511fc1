#include <stdio.h>
#include <math.h>

int main(int n, char **a) { printf("ok\n"); return 0; }

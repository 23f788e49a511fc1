#include <stdio.h>
#include <math.h>

int main(int n, char **a) { printf("%d", (int)(((__int128)n << 90) / 1000003)); return 0; }

#include <stdio.h>
#include <stdlib.h>
int main(int n, char **a) {
int v[3] = {3, 1, 2}; int cmp(const void *p, const void *q) { return n * (*(int *)p - *(int *)q); }
qsort(v, 3, sizeof *v, cmp); return printf("%d%d%d\n", v[0], v[1], v[2]) < 0; }

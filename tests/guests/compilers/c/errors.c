#include <stdio.h>
int main(void) { int *p = 1.5; printf("%d\n", "s") return 0 }

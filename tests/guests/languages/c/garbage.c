#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>
#include <pthread.h>

int main(void) { for (int i = 0; i < 3000; i++) free(memset(malloc(1 << 20), 1, 1 << 20)); puts("ok"); return 0; }

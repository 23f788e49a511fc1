#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>
#include <pthread.h>

int main(void) { puts("before"); fflush(stdout); volatile unsigned i = 0; for (;;) i++; }

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>
#include <pthread.h>

int main(void) { puts("before"); fflush(stdout); sleep(60); return 0; }

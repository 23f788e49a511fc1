#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>
#include <pthread.h>
void *rest(void *p) { sleep(60); return p; }
int main(void) { for (;;) { pthread_t t; if (pthread_create(&t, 0, rest, 0)) return 1; } }

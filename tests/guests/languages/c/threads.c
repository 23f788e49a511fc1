#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>
#include <pthread.h>
void *same(void *p) { return p; }
int main(void) { pthread_t t[6]; long sum = 0; for (long i = 0; i < 6; i++) pthread_create(&t[i], 0, same, (void *)i); for (int i = 0; i < 6; i++) { void *r; pthread_join(t[i], &r); sum += (long)r; } printf("%ld\n", sum); return 0; }

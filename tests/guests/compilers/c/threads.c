#include <pthread.h>
void *f(void *x) { return x; }
int main(void) { pthread_t t; pthread_create(&t, 0, f, 0); return pthread_join(t, 0); }

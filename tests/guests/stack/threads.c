#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
static int deep(int level) { volatile char page[4096]; page[0] = 1; return level ? page[0] + deep(level - 1) : 0; }
static void *work(void *nothing) { return (void *)(long)deep(100); }
int main(void) {
    struct rlimit stack;
    getrlimit(RLIMIT_STACK, &stack);
    if (stack.rlim_cur == RLIM_INFINITY || stack.rlim_cur != stack.rlim_max) return 3;
    for (int round = 0; round < 20; round++) {
        pthread_t threads[COUNT];
        for (int i = 0; i < COUNT; i++) if (pthread_create(&threads[i], NULL, work, NULL)) return 4;
        for (int i = 0; i < COUNT; i++) pthread_join(threads[i], NULL);
    }
    puts("done");
    return 0;
}

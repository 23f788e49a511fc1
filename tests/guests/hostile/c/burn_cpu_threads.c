// expect: TLE
// attack: T17 burn_cpu_threads: four threads share the work, so that none of them passes the limit alone
// control: cpu_limit
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <time.h>
static void *spin(void *unused) {
    struct timespec used;
    do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    while (used.tv_sec == 0 && used.tv_nsec < 180000000);
    return unused;
}
int main(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, spin, 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
    puts("ESCAPED burnt 0.7 s of CPU time in four threads");
    return 0;
}

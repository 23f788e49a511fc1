// expect: PLE
// attack: T8 thread_bomb: threads count as processes
// control: process_limit
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *stay(void *unused) {
    for (;;) pause();
    return unused;
}
int main(void) {
    for (int i = 0; i < 60; i++) {
        pthread_t thread;
        if (pthread_create(&thread, 0, stay, 0) != 0) return 1;
    }
    puts("ESCAPED has 60 threads");
    fflush(stdout);
    _exit(0);
}

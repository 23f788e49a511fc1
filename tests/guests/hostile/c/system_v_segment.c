// expect: AC
// attack: T7 system_v_segment: opens a segment of the host, whose key the input names
// control: ipc_namespace
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/shm.h>
int main(void) {
    int port, key;
    if (scanf("%d %d", &port, &key) != 2) return 1;
    int segment = shmget(key, 0, 0);
    if (segment >= 0 && shmat(segment, 0, SHM_RDONLY) != (void *)-1) puts("ESCAPED reads memory of the host");
    return 0;
}

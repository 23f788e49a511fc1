// expect: AC
// attack: T7 system_v_markers: leaves a segment, a semaphore and a message for the next run, and looks for them
// alone: without a namespace it would leave its objects on the host
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
int main(void) {
    const key_t key = 0x52425831;
    struct { long type; char text[8]; } message = {1, "marker"};
    if (shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0666) < 0) puts("ESCAPED found a segment");
    if (semget(key, 1, IPC_CREAT | IPC_EXCL | 0666) < 0) puts("ESCAPED found a semaphore");
    int queue = msgget(key, IPC_CREAT | IPC_EXCL | 0666);
    if (queue < 0) puts("ESCAPED found a queue");
    return msgsnd(queue, &message, sizeof message.text, 0) == 0 ? 0 : 1;
}

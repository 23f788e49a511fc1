// expect: AC
// attack: T7 T16 message_queue: POSIX queues, memory of the kernel with a name
// control: rlimits
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
int main(void) {
    if (mq_open("/marker", O_CREAT | O_RDWR, 0666, 0) != (mqd_t)-1) puts("ESCAPED made a queue");
    return 0;
}

// expect: MLE
// attack: T16 memory_messages: System V messages, which wait in the kernel
// control: memory_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/msg.h>
int main(void) {
    static struct { long type; char text[8192]; } message = {1, "message"};
    long sent = 0;
    while (sent < 320 << 20) {
        int queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
        if (queue < 0) return 1;
        while (msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT) == 0) sent += sizeof message.text;
    }
    puts("ESCAPED has 320 MiB of messages");
    return 0;
}

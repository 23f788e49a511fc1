// expect: AC
// attack: T16 T28 shared_inode_locks: locks the inodes that the kernel has once for the host and all of its guests
// control: seccomp
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
// Two descriptors, opened apart from each other. A lock on one keeps the other out only if they have one inode.
static void meet(const char *name, int mine, int others) {
    if (mine < 0 || others < 0 || flock(mine, LOCK_EX | LOCK_NB) != 0 || flock(others, LOCK_EX | LOCK_NB) != 0)
        printf("ESCAPED meets a lock on %s\n", name);
    flock(mine, LOCK_UN);
    flock(others, LOCK_UN);
}
int main(void) {
    sigset_t none;
    sigemptyset(&none);
    meet("events and queues of events", eventfd(0, 0), epoll_create1(0));
    meet("timers and signals", timerfd_create(CLOCK_MONOTONIC, 0), signalfd(-1, &none, 0));
    const char *namespaces[] = {"/proc/self/ns/user", "/proc/self/ns/time"};
    for (int i = 0; i < 2; i++) meet(namespaces[i], open(namespaces[i], O_RDONLY), open(namespaces[i], O_RDONLY));
    return 0;
}

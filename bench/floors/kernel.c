/* What the kernel alone takes for a run's processes: a first process in five new namespaces, a second one below it,
 * and the second one's end. Nothing is mounted, limited, confined or executed.
 *
 * For each byte on standard input: one line with the nanoseconds from the clone until the first process has reaped the
 * second. It ends at the end of the input. Argument `user`: with a user namespace, for whoever is not root. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* As process 1: 0 if the second process was number 2 and is reaped. */
static int first_process(int told) {
    int status;
    pid_t second = fork();
    if (second == 0) _exit(getpid());
    if (getpid() != 1 || waitpid(second, &status, 0) != second) return 1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 2) return 1;
    return write(told, "", 1) != 1;
}

int main(int count, char **arguments) {
    unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | SIGCHLD;
    int told[2], status;
    char byte;
    if (count > 1 && strcmp(arguments[1], "user") == 0) flags |= CLONE_NEWUSER;
    if (pipe(told) != 0) return 1;
    while (read(STDIN_FILENO, &byte, 1) == 1) {
        long long begun = now_ns(), elapsed;
        long first = syscall(SYS_clone, flags, 0, 0, 0, 0);
        if (first == 0) _exit(first_process(told[1]));
        if (first < 0) return 1;
        /* It holds the pipe's other end too: a first process that fails would never be missed. */
        fd_set ready;
        FD_ZERO(&ready);
        FD_SET(told[0], &ready);
        struct timeval patience = {10, 0};
        if (select(told[0] + 1, &ready, 0, 0, &patience) != 1 || read(told[0], &byte, 1) != 1) return 1;
        elapsed = now_ns() - begun;
        if (waitpid((pid_t)first, &status, 0) != first || status != 0) return 1;
        printf("%lld\n", elapsed);
        fflush(stdout);
    }
    return 0;
}

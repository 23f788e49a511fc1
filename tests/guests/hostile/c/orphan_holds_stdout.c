// expect: AC
// attack: T11 orphan_holds_stdout: a grandchild in a session of its own keeps the output open after the end
// control: pid_namespace
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>
int main(void) {
    puts("done");
    fflush(stdout);
    if (fork() == 0) {
        setsid();
        if (fork() == 0) sleep(1000);
        _exit(0);
    }
    return 0;
}

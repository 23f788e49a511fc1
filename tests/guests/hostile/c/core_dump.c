// expect: AC
// attack: T25 core_dump: lets a child crash and looks for its memory image
// control: rlimits
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &limit);
    if (fork() == 0) raise(SIGSEGV);
    int status;
    wait(&status);
    if (limit.rlim_max > 0 || WCOREDUMP(status)) puts("ESCAPED may dump core");
    return 0;
}

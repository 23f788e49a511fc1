// expect: AC
// attack: T25 own_limits: reads its limits and tries to raise them
// control: rlimits
#include <stdio.h>
#include <sys/resource.h>
static void check(const char *name, int resource, rlim_t expected) {
    struct rlimit limit;
    getrlimit(resource, &limit);
    if (limit.rlim_cur != expected) printf("ESCAPED %s is %lu\n", name, (unsigned long)limit.rlim_cur);
    limit.rlim_cur = limit.rlim_max = limit.rlim_max + 1;
    if (setrlimit(resource, &limit) == 0) printf("ESCAPED raised %s\n", name);
}
int main(void) {
    check("the file size", RLIMIT_FSIZE, 1 << 20);
    check("the number of processes", RLIMIT_NPROC, 8);
    check("the number of files", RLIMIT_NOFILE, 32);
    check("the core size", RLIMIT_CORE, 0);
    return 0;
}

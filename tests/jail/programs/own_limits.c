// expect: AC
// attack: reads its own limits and tries to raise them; prints ESCAPED for each difference
#include <stdio.h>
#include <sys/resource.h>
static void check(const char *name, int resource, rlim_t expected) {
    struct rlimit limit;
    getrlimit(resource, &limit);
    if (limit.rlim_cur != expected) printf("ESCAPED %s is %lu\n", name, (unsigned long)limit.rlim_cur);
    limit.rlim_cur = limit.rlim_max = limit.rlim_max + 1;
    if (setrlimit(resource, &limit) == 0) printf("ESCAPED %s raised\n", name);
}
int main(void) {
    check("FSIZE", RLIMIT_FSIZE, 1 << 20);
    check("NPROC", RLIMIT_NPROC, 8);
    check("NOFILE", RLIMIT_NOFILE, 32);
    check("CORE", RLIMIT_CORE, 0);
    return 0;
}

// expect: AC
// attack: T29 read_proc: learns about the machine and its other processes
// control: proc_subset
#include <stdio.h>
int main(void) {
    const char *names[] = {"cpuinfo", "meminfo", "version", "uptime", "loadavg", "stat", "keys", "kallsyms", "sys/kernel/osrelease", "1/status", "1/cmdline"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%s", names[i]);
        if (fopen(path, "r")) printf("ESCAPED opened %s\n", path);
    }
    return 0;
}

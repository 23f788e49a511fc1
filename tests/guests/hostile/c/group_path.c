// expect: AC
// attack: T29 group_path: learns where it stands in the host's control groups, and tries to leave
// control: cgroup_namespace
#include <stdio.h>
#include <string.h>
int main(void) {
    char line[512];
    FILE *groups = fopen("/proc/self/cgroup", "r");
    if (!groups) return 1;
    while (fgets(line, sizeof line, groups))
        if (strstr(line, "rustbox-")) printf("ESCAPED is in %s", line);
    if (fopen("/sys/fs/cgroup/cgroup.procs", "w") || fopen("/sys/fs/cgroup/memory/tasks", "w")) puts("ESCAPED opened a group");
    return 0;
}

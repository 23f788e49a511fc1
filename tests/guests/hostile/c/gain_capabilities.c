// expect: AC
// attack: T22 gain_capabilities: looks for capabilities in every set, and raises what it can
// control: no_capabilities
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
int main(void) {
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "Cap", 3) == 0 && strtoull(line + 7, 0, 16) != 0) printf("ESCAPED %s", line);
    for (int capability = 0; capability < 41; capability++)
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0) printf("ESCAPED raised %d\n", capability);
    return 0;
}

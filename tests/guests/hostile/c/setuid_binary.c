// expect: AC
// attack: T22 setuid_binary: starts the host's setuid programs and watches what they become
// alone: two controls: no new privileges, and mounts without setuid
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void watch(pid_t child, const char *program) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", child);
    for (int looks = 0; looks < 50; looks++) {
        FILE *status = fopen(path, "r");
        while (status && fgets(line, sizeof line, status))
            if (strncmp(line, "Uid:", 4) == 0 && strstr(line, "\t0")) printf("ESCAPED %s became %s", program, line);
        if (status) fclose(status);
    }
}
int main(void) {
    const char *programs[] = {"/usr/bin/su", "/usr/bin/mount", "/usr/bin/passwd", "/usr/bin/newgrp", "/usr/bin/sudo"};
    for (unsigned i = 0; i < sizeof programs / sizeof *programs; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl(programs[i], programs[i], (char *)0);
            _exit(1);
        }
        watch(child, programs[i]);
        kill(child, SIGKILL);
        waitpid(child, 0, 0);
    }
    return 0;
}

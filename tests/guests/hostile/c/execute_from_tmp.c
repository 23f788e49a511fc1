// expect: AC
// attack: T22 execute_from_tmp: starts a program that it wrote into a shared directory
// control: noexec_mounts
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    const char *places[] = {"/tmp/copy", "/dev/shm/copy"};
    for (int i = 0; i < 2; i++) {
        int from = open("/usr/bin/true", O_RDONLY), to = open(places[i], O_CREAT | O_WRONLY, 0755);
        if (sendfile(to, from, 0, 1 << 20) <= 0) return 1;
        close(to);
        close(from);
        if (fork() == 0) {
            execl(places[i], "true", (char *)0);
            _exit(1);
        }
        int status;
        wait(&status);
        if (status == 0) printf("ESCAPED executed %s\n", places[i]);
    }
    return 0;
}

// expect: AC
// attack: T8 new_sessions: daemons the old way, fork, setsid, fork, with every stream closed
// control: pid_namespace
#define _GNU_SOURCE
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            setsid();
            if (fork() == 0) {
                chdir("/");
                for (int fd = 0; fd < 32; fd++) close(fd);
                sleep(1000);
            }
            _exit(0);
        }
    }
    usleep(100000);
    return 0;
}

// expect: AC
// attack: T10 leaves zombies behind
#define _GNU_SOURCE
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 4; i++)
        if (fork() == 0) _exit(0);
    usleep(50000);
    return 0;
}

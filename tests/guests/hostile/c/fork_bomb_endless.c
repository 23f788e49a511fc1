// expect: PLE
// attack: T8 fork_bomb_endless: every process forks for ever; ends with an error once it was refused often enough
// alone: without the limit it would never end
#define _GNU_SOURCE
#include <unistd.h>
int main(void) {
    for (int refused = 0; refused < 100;)
        if (fork() < 0)
            refused++;
    return 1;
}

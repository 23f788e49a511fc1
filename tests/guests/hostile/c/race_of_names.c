// expect: AC
// attack: T1 T2 race_of_names: swaps files and links at the names that the host knows, until its very end
// alone: it attacks what the host opens, which is nothing by name
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    if (symlink("/etc/passwd", "link") != 0 || mkdir("directory", 0700) != 0) return 1;
    if (fork() == 0) {
        for (;;) {
            rename("link", "solution");
            symlink("/etc/passwd", "link");
            rename("directory", "stdin");
            mkdir("directory", 0700);
            renameat2(AT_FDCWD, "link", AT_FDCWD, "solution", RENAME_EXCHANGE);
        }
    }
    usleep(200000);
    return 0;
}

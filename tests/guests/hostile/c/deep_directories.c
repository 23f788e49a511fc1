// expect: AC
// attack: T6 deep_directories: a path that no program can name, for whoever clears up by path
// alone: it attacks the clearing up, which goes by mounts and not by paths
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    for (int depth = 0; depth < 4000; depth++)
        if (mkdir("a_directory_with_a_long_name", 0700) != 0 || chdir("a_directory_with_a_long_name") != 0) return 1;
    if (symlink("/etc", "link") != 0 || mkdir("closed", 0) != 0) return 1;
    puts("done");
    return 0;
}

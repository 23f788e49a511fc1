// expect: AC
// attack: T21 hidden_directories: looks for what the host keeps beside its languages: package lists, sources, its own programs
// control: own_inodes
#include <dirent.h>
#include <stdio.h>
int main(void) {
    const char *places[] = {"/usr/share/doc", "/usr/share/dpkg", "/usr/share/package-lists", "/usr/share/man",
                            "/usr/local", "/usr/src", "/usr/sbin", "/usr/games", "/sbin", "/var"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        DIR *found = opendir(places[i]);
        if (found) printf("ESCAPED sees %s\n", places[i]);
    }
    return opendir("/usr/share/zoneinfo") || opendir("/usr/lib") ? 0 : 1;
}

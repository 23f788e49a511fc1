// expect: AC
// attack: T22 T29 identity: is it root, in a group of the host, or able to become either
// control: unprivileged_user
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    gid_t groups[8];
    if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0) puts("ESCAPED is root");
    if (getgroups(8, groups) != 0) puts("ESCAPED is in a group");
    if (setuid(0) == 0 || setgid(0) == 0 || setresuid(-1, 0, -1) == 0) puts("ESCAPED became root");
    groups[0] = 0;
    if (setgroups(1, groups) == 0) puts("ESCAPED entered a group");
    return 0;
}

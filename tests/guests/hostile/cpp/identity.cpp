// expect: AC
// attack: T22 T29 identity: is a user of the host, or can become one
// control: unprivileged_user
#include <initializer_list>
#include <cstdio>
#include <grp.h>
#include <unistd.h>
int main() {
    uid_t real, effective, saved;
    getresuid(&real, &effective, &saved);
    // Users below 1000 are the system's, those below 65536 may be people.
    if (real < 65536 || effective < 65536 || saved < 65536) std::printf("ESCAPED is user %u\n", real);
    for (uid_t uid : {0u, 1u, 1000u, 65534u})
        if (setuid(uid) == 0 || seteuid(uid) == 0 || setgid(uid) == 0) std::printf("ESCAPED became user %u\n", uid);
    if (getgroups(0, nullptr) != 0) std::puts("ESCAPED is in a group");
}

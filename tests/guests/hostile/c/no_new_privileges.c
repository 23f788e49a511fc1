// expect: AC
// attack: T22 no_new_privileges: would a setuid program raise it, and can it undo what prevents that
// control: no_new_privileges
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/prctl.h>
int main(void) {
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) puts("ESCAPED may gain privileges");
    if (prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0) puts("ESCAPED undid it");
    return 0;
}

// expect: AC
// attack: T29 environment: looks for credentials in its own environment and in that of process 1
// control: clean_environment
#include <stdio.h>
#include <string.h>
extern char **environ;
int main(void) {
    const char *allowed[] = {"PATH=", "HOME=", "LANG="};
    for (char **entry = environ; *entry; entry++) {
        int known = 0;
        for (int i = 0; i < 3; i++) known |= strncmp(*entry, allowed[i], strlen(allowed[i])) == 0;
        if (!known) printf("ESCAPED found %s\n", *entry);
    }
    if (fopen("/proc/1/environ", "r")) puts("ESCAPED opened the environment of process 1");
    return 0;
}

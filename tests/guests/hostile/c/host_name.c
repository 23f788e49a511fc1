// expect: AC
// attack: T29 host_name: learns the host's name
// control: uts_namespace
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
int main(void) {
    struct utsname names;
    uname(&names);
    if (strcmp(names.nodename, "rustbox-sandbox") != 0) printf("ESCAPED the host is %s\n", names.nodename);
    return 0;
}

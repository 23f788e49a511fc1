// expect: AC
// attack: T26 resolve_name: names resolve to nothing, and at once
// alone: a jail with the way out would ask servers that are not the test's
#define _GNU_SOURCE
#include <netdb.h>
#include <stdio.h>
#include <time.h>
int main(void) {
    struct addrinfo *found;
    time_t begun = time(0);
    if (getaddrinfo("example.com", "80", 0, &found) == 0) puts("ESCAPED resolved a name");
    if (time(0) - begun > 2) puts("ESCAPED a refusal took its time");
    return 0;
}

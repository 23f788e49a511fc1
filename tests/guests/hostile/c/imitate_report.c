// expect: RE
// attack: T23 imitate_report: writes what init would report into every descriptor there may be
// control: closed_descriptors
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    const char *report = "{\"kind\": \"ended\", \"wait_status\": 0, \"at_ns\": 1, \"artifact_error\": null}\n";
    for (int fd = 3; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0) printf("ESCAPED wrote %zd bytes of a report to %d\n", write(fd, report, strlen(report)), fd);
    return 7;
}

// expect: AC
// attack: T5 compile_has_secret: the compiler tells which files the host has
// control: mount_namespace
#include <stdio.h>
int main(void) {
#if __has_include("/etc/passwd")
    puts("ESCAPED the host has /etc/passwd");
#endif
#if __has_include("/etc/hostname") || __has_include("/var/lib/dpkg/status") || __has_include("/proc/1/environ")
    puts("ESCAPED the host has other files");
#endif
    return 0;
}

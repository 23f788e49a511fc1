// expect: AC
// attack: T6 devices: opens every device that a host may have, and is given those of the contract alone
// alone: a jail with more devices would show the host's own
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
int main(void) {
    const char *known = " . .. null zero full random urandom fd stdin stdout stderr shm ";
    DIR *devices = opendir("/dev");
    for (struct dirent *entry; devices && (entry = readdir(devices));) {
        char word[300];
        snprintf(word, sizeof word, " %s ", entry->d_name);
        if (!strstr(known, word)) printf("ESCAPED found /dev/%s\n", entry->d_name);
    }
    const char *others[] = {"/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/tty", "/dev/ptmx", "/dev/console", "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/loop-control"};
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        if (open(others[i], O_RDONLY) >= 0) printf("ESCAPED opened %s\n", others[i]);
    return 0;
}

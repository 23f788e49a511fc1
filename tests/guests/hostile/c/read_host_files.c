// expect: AC
// attack: T5 read_host_files: reads what is the host's
// control: mount_namespace
#include <dirent.h>
#include <stdio.h>
int main(void) {
    const char *files[] = {"/etc/passwd", "/etc/shadow", "/etc/hostname", "/proc/1/environ", "/dev/mem", "/dev/kmsg"};
    const char *directories[] = {"/root", "/home", "/var/lib", "/run", "/sys/kernel", "/boot", "/old", "/proc/1/root", "/proc/1/cwd"};
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *file = fopen(files[i], "r");
        if (file && fgetc(file) != EOF) printf("ESCAPED read %s\n", files[i]);
    }
    for (unsigned i = 0; i < sizeof directories / sizeof *directories; i++)
        if (opendir(directories[i])) printf("ESCAPED opened %s\n", directories[i]);
    return 0;
}

// expect: AC
// attack: T21 privileged_calls: what only root may do anyway; both the filter and the kernel refuse it
// alone: the kernel refuses them to everybody but root, with the filter or without
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#define TRY(name, ...) \
    if (syscall(SYS_##name, __VA_ARGS__) >= 0 || (errno != EPERM && errno != ENOSYS)) printf("ESCAPED %s: errno %d\n", #name, errno)
int main(void) {
    TRY(init_module, 0, 0, "");
    TRY(finit_module, 0, "", 0);
    TRY(delete_module, "none", 0);
    TRY(kexec_load, 0, 0, 0, 0);
    TRY(reboot, 0, 0, 0, 0);
    TRY(swapon, "/box/solution", 0);
    TRY(acct, "/box/log");
    TRY(sethostname, "owned", 5);
    TRY(setdomainname, "owned", 5);
    TRY(vhangup, 0);
    return 0;
}

// expect: AC
// attack: T21 T24 system calls that must fail; prints ESCAPED for each success
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void refused(const char *name, long result) {
    if (result >= 0) printf("ESCAPED %s\n", name);
    else if (errno != EPERM && errno != ENOSYS && errno != EAFNOSUPPORT) printf("ESCAPED errno of %s is %d\n", name, errno);
}
#define TRY(name, ...) (errno = 0, refused(#name, syscall(__VA_ARGS__)))
int main(void) {
    TRY(unshare, SYS_unshare, 0x10000000);
    TRY(clone_newuser, SYS_clone, 0x10000000 | 17, 0, 0, 0, 0);
    TRY(clone_newns, SYS_clone, 0x00020000 | 17, 0, 0, 0, 0);
    TRY(clone3, SYS_clone3, 0, 0);
    TRY(setns, SYS_setns, 0, 0);
    TRY(mount, SYS_mount, "x", "/tmp", "tmpfs", 0, 0);
    TRY(umount2, SYS_umount2, "/proc", 2);
    TRY(pivot_root, SYS_pivot_root, "/", "/tmp");
    TRY(chroot, SYS_chroot, "/tmp");
    TRY(open_tree, 428, -100, "/", 1);
    TRY(fsopen, 430, "tmpfs", 0);
    TRY(ptrace, SYS_ptrace, 0, 0, 0, 0);
    TRY(process_vm_readv, SYS_process_vm_readv, 1, 0, 0, 0, 0, 0);
    TRY(bpf, SYS_bpf, 0, 0, 0);
    TRY(userfaultfd, SYS_userfaultfd, 0);
    TRY(io_uring_setup, 425, 1, 0);
    TRY(keyctl, SYS_keyctl, 0, 0, 0, 0, 0);
    TRY(perf_event_open, SYS_perf_event_open, 0, 0, -1, -1, 0);
    TRY(memfd_secret, 447, 0);
    TRY(open_by_handle_at, SYS_open_by_handle_at, -100, 0, 0);
    TRY(init_module, SYS_init_module, 0, 0, "");
    TRY(kexec_load, SYS_kexec_load, 0, 0, 0, 0);
    TRY(reboot, SYS_reboot, 0, 0, 0, 0);
    TRY(sethostname, SYS_sethostname, "x", 1);
    TRY(socket_vsock, SYS_socket, 40, 1, 0);
    TRY(socket_packet, SYS_socket, 17, 3, 0);
    TRY(socket_alg, SYS_socket, 38, 5, 0);
    TRY(socket_netlink, SYS_socket, 16, 3, 0);
    TRY(x32_getpid, 0x40000000 | SYS_getpid);
    TRY(personality, SYS_personality, 0x0400000);
    for (long number = 463; number <= 600; number++) {
        errno = 0;
        if (syscall(number, 0, 0, 0, 0, 0, 0) >= 0 || errno != ENOSYS) printf("ESCAPED number %ld errno %d\n", number, errno);
    }
    return 0;
}

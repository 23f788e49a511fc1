/*
 * A library of the template: start process 1 and the program of one run.
 *
 * Process 1 shares the template's memory until it executes small_init.c, as with vfork(2): a copy of the interpreter's
 * page tables would cost more than the whole run of a small program. It is root until then. It writes only to its own
 * stack frames, and runs no Python code.
 */
#include <linux/capability.h>
#include <linux/sched.h>
#include "small_init.h"

enum { STATUS = 0 };

/* glibc, sysdeps/unix/sysv/linux/{x86,aarch64}/bits/rseq.h */
#if defined(__x86_64__)
static const unsigned RSEQ_SIGNATURE = 0x53053053;
#else
static const unsigned RSEQ_SIGNATURE = 0xd428bc00;
#endif

/*
 * As in small_init.py. The kernel writes `pidfd`. `rseq_bytes`: 0 where the C library registers nothing. `thread_id`: where
 * it keeps the id of the thread; 0 where the kernel does not tell.
 */
struct order {
    int *thread_id;
    long flags, rseq_offset, rseq_bytes;
    int status_fd, entry_fd, image_fd, pidfd;
    unsigned init_id;
};

/* Register with rseq(2) again: a process that shares its parent's memory loses the registration, and so does its child. */
static inline __attribute__((always_inline)) void register_rseq(const struct order *order) {
    if (order->rseq_bytes == 0) return;
    long area = (long)__builtin_thread_pointer() + order->rseq_offset;
    call(__NR_rseq, area, order->rseq_bytes, 0, RSEQ_SIGNATURE, 0);
}

/* As in the C library's fork(3): pthread_kill(3) and the clocks of a thread use the id that it keeps. */
static inline __attribute__((always_inline)) void renew_thread_id(const struct order *order) {
    if (order->thread_id) *order->thread_id = call(__NR_set_tid_address, (long)order->thread_id, 0, 0, 0, 0);
}

static inline __attribute__((always_inline)) void give_up_identity(long id) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    must(call(__NR_setgroups, 0, 0, 0, 0, 0), 0);
    must(call(__NR_setresgid, id, id, id, 0, 0), 0);
    must(call(__NR_setresuid, id, id, id, 0, 0), 0);
    must(call(__NR_capset, (long)&header, (long)none, 0, 0, 0), 0);
    must(call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0), 0); /* this is still the template's memory, which is not dumpable either */
    must(call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
}

/* Returns the process id of init, or a negative errno. Returns 0 in the program. */
long start(struct order *order) {
    long shared = order->flags | CLONE_PIDFD | CLONE_VM | CLONE_VFORK | SIGCHLD;
    long pid = call(__NR_clone, shared, 0, (long)&order->pidfd, 0, 0);
    if (pid != 0) return pid;
    must(call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), 0);
    must(call(__NR_write, order->entry_fd, (long)"0", 1, 0, 0), 1); /* its group, before the program inherits it */
    pid = call(__NR_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        register_rseq(order);
        renew_thread_id(order);
        return 0;
    }
    if (pid < 0) leave(FAILED);
    must(call(__NR_dup3, order->status_fd, STATUS, 0, 0, 0), STATUS);
    give_up_identity(order->init_id);
    const char *arguments[] = {"init", 0};
    call(__NR_execveat, order->image_fd, (long)"", (long)arguments, 0, ADDRESS_EMPTY_PATH);
    leave(FAILED);
}

/*
 * Process 1 of a run: confine itself, reap until process 2 has ended, report, then exit or wait to be killed.
 *
 * It has no C library, no heap and no writable memory except its stack. Descriptor 0 is the run's status socket; it
 * closes all others. small_init_start.c has given up root before exec.
 *
 * Build with -DFILTER=...: its filter, as initialisers of struct sock_filter (policy.txt, [small_init]).
 */
#include <linux/filter.h>
#include <linux/poll.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include "small_init.h"

enum { STATUS = 0, PROGRAM = 2 };

/* The report that the supervisor parses, `watch.py`: 32 bytes, little-endian on both machines. */
struct report {
    int code, status; /* si_code and si_status of the program's end, waitid(2) */
    int look, nothing; /* -ECHILD: no other process lives in the namespace */
    struct __kernel_timespec at; /* CLOCK_MONOTONIC */
};

static const struct sock_filter filter[] = {FILTER};

static void confine(void) {
    struct sock_fprog program = {sizeof filter / sizeof *filter, (struct sock_filter *)filter};
    must(call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0), 0);
    must(call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), 0); /* a change of identity cleared it */
    must(call(__NR_close_range, STATUS + 1, ~0U, 0, 0, 0), 0); /* the program waits for this, see small_init.py */
    must(call(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program, 0, 0), 0);
}

/* Wait for a hangup of the status socket. Returns the count of descriptors that have one. */
static long await_hangup(const struct __kernel_timespec *patience) {
    struct pollfd status = {.fd = STATUS};
    return call(__NR_ppoll, (long)&status, 1, (long)patience, 0, 0);
}

/* Reap orphans until the program has ended. Do not reap the program, see `fork_refusals.py`. */
static void await_program(siginfo_t *ended) {
    for (;;) {
        must(call(__NR_waitid, P_ALL, 0, (long)ended, WEXITED | WNOWAIT, 0), 0);
        if (ended->si_pid == PROGRAM) return;
        if (call(__NR_wait4, ended->si_pid, 0, 0, 0, 0) <= 0) leave(FAILED);
    }
}

void _start(void) {
    static const struct __kernel_timespec at_once = {0, 0};
    siginfo_t ended;
    struct report report;
    confine();
    must(await_hangup(&at_once), 0); /* template and supervisor died before the parent death signal was set */
    await_program(&ended);
    call(__NR_clock_gettime, 1 /* CLOCK_MONOTONIC */, (long)&report.at, 0, 0, 0);
    report.code = ended.si_code;
    report.status = ended.si_status;
    report.nothing = 0;
    report.look = call(__NR_waitid, P_ALL, 0, 0, WSTOPPED | WNOHANG | WNOWAIT | __WALL, 0);
    if (report.look != 0)
        while (call(__NR_wait4, -1, 0, WNOHANG | __WALL, 0, 0) > 0) continue;
    call(__NR_write, STATUS, (long)&report, sizeof report, 0, 0);
    /* Others live: the supervisor kills this process, and with it the namespace. It may have died itself. */
    if (report.look == 0) await_hangup(0);
    leave(0);
}

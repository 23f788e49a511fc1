/* System calls of Linux without a C library, on x86-64 and on 64-bit Arm. */
#include <asm/unistd.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/signal.h>

enum { FAILED = 1, ADDRESS_EMPTY_PATH = 0x1000 /* AT_EMPTY_PATH, linux/fcntl.h */ };

/*
 * Always inlined: after clone(2) two processes may run on one stack. If this were a real function, the child would
 * return first and overwrite the parent's return address.
 */
static inline __attribute__((always_inline)) long call(long number, long a, long b, long c, long d, long e) {
#if defined(__x86_64__)
    register long fourth __asm__("r10") = d, fifth __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d, x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
#else
#error "system calls are written down for x86-64 and 64-bit Arm only"
#endif
}

static inline __attribute__((always_inline, noreturn)) void leave(int code) {
    call(__NR_exit_group, code, 0, 0, 0, 0);
    __builtin_unreachable();
}

/* Exit, and so end the run, unless the result is the expected one. */
static inline __attribute__((always_inline)) void must(long result, long expected) {
    if (result != expected) leave(FAILED);
}

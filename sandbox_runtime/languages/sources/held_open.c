/*
 * Loaded into the linker before all libraries: delays its open of the object until the object is complete.
 *
 * The first open(2) of HELD_PATH waits for a byte from HELD_FD. End of file means that there is no object.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int opened(const char *path, int flags, mode_t mode) {
    static int is_over;
    char byte;
    if (!is_over && strcmp(path, HELD_PATH) == 0) {
        if (read(HELD_FD, &byte, 1) != 1) _exit(1);
        close(HELD_FD);
        is_over = 1;
    }
    return openat(AT_FDCWD, path, flags, mode);
}

/* The C library's two names of open(2). */
#define OPEN(name)                                      \
    int name(const char *path, int flags, ...) {        \
        va_list rest;                                   \
        va_start(rest, flags);                          \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                   \
        return opened(path, flags, mode);               \
    }
OPEN(open)
OPEN(open64)

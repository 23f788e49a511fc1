/*
 * Loaded into the linker before all libraries: it may not open its objects until they are there.
 *
 * The first open(2) of HELD_PATH waits for a path from HELD_FD, and opens that. End of file: there will be no object.
 *
 * With -DORDERED=... (texts, each a C string with a comma) no object with one of them is linked: the linker ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef ORDERED
static const char *const ordered[] = {ORDERED};

static void refuse_what_is_ordered(int fd) {
    struct stat facts;
    if (fd < 0 || fstat(fd, &facts) < 0 || facts.st_size == 0) return;
    void *content = mmap(NULL, facts.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (content == MAP_FAILED) _exit(1);
    for (size_t i = 0; i < sizeof ordered / sizeof *ordered; i++)
        if (memmem(content, facts.st_size, ordered[i], strlen(ordered[i])) != NULL) _exit(1);
    munmap(content, facts.st_size);
}

static int is_object(const char *path) {
    size_t length = strlen(path);
    return length > 2 && strcmp(path + length - 2, ".o") == 0;
}
#endif

static int opened(const char *path, int flags, mode_t mode) {
    static int is_over;
    static char told[PATH_MAX]; /* ends with a NUL, as one byte is never filled */
    if (!is_over && strcmp(path, HELD_PATH) == 0) {
        if (read(HELD_FD, told, sizeof told - 1) < 1) _exit(1);
        close(HELD_FD);
        is_over = 1;
        path = told;
    }
    int fd = openat(AT_FDCWD, path, flags, mode);
#ifdef ORDERED
    if (is_over && is_object(path)) refuse_what_is_ordered(fd);
#endif
    return fd;
}

/* Both names that the C library has for it. */
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

/* Loaded before libc (LD_PRELOAD): records what a process does to the engine's file and log, and slows their flushes.
 *
 * DISK_RECORD: file that each record is appended to, with one write, so that records of all processes have one order.
 * DISK_FLUSH_US: microseconds that each flush takes in addition. `recorded_disk.py` reads the records.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NONE, FILE_KIND, LOG_KIND };
enum { WRITE = 1, TRUNCATE, FLUSH_BEGIN, FLUSH_END, UNLINK };

#define DESCRIPTORS 65536
static unsigned char kinds[DESCRIPTORS];
static int record_fd = -1;
static useconds_t flush_us;

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

static int kind_of(const char *path) {
    if (ends_with(path, "/rustbox.sqlite")) return FILE_KIND;
    return ends_with(path, "/rustbox.sqlite-wal") ? LOG_KIND : NONE;
}

static void record(uint32_t kind, uint32_t op, uint64_t place, const void *data, uint64_t length) {
    struct { uint32_t kind, op; uint64_t place, length; } head = {kind, op, place, length};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, length}};
    int saved = errno;
    if (record_fd >= 0 && kind != NONE && syscall(SYS_writev, record_fd, parts, 2) != (long)(sizeof head + length))
        abort();
    errno = saved;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DISK_RECORD"), *slow = getenv("DISK_FLUSH_US");
    if (path != NULL) record_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (slow != NULL) flush_us = (useconds_t)atoi(slow);
}

static int note(int fd, const char *path) {
    if (fd >= 0 && fd < DESCRIPTORS) kinds[fd] = (unsigned char)kind_of(path);
    return fd;
}

static int kind_at(int fd) { return fd >= 0 && fd < DESCRIPTORS ? kinds[fd] : NONE; }

#define OPEN(name)                                                                   \
    int name(const char *path, int flags, ...) {                                     \
        va_list more;                                                                \
        va_start(more, flags);                                                       \
        mode_t mode = va_arg(more, mode_t);                                          \
        va_end(more);                                                                \
        return note((int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode), path); \
    }
OPEN(open)
OPEN(open64)

#define WRITE_AT(name, offset_type)                                                  \
    ssize_t name(int fd, const void *data, size_t length, offset_type place) {       \
        ssize_t done = syscall(SYS_pwrite64, fd, data, length, place);               \
        if (done > 0) record(kind_at(fd), WRITE, (uint64_t)place, data, (uint64_t)done); \
        return done;                                                                 \
    }
WRITE_AT(pwrite, off_t)
WRITE_AT(pwrite64, off64_t)

#define CUT(name, offset_type)                                                       \
    int name(int fd, offset_type length) {                                           \
        int result = (int)syscall(SYS_ftruncate, fd, length);                        \
        if (result == 0) record(kind_at(fd), TRUNCATE, (uint64_t)length, NULL, 0);   \
        return result;                                                               \
    }
CUT(ftruncate, off_t)
CUT(ftruncate64, off64_t)

#define FLUSH(name)                                                                  \
    int name(int fd) {                                                               \
        uint64_t thread = (uint64_t)syscall(SYS_gettid);                             \
        record(kind_at(fd), FLUSH_BEGIN, thread, NULL, 0);                           \
        int result = (int)syscall(SYS_##name, fd);                                   \
        if (kind_at(fd) != NONE && flush_us) usleep(flush_us);                       \
        if (result == 0) record(kind_at(fd), FLUSH_END, thread, NULL, 0);            \
        return result;                                                               \
    }
FLUSH(fsync)
FLUSH(fdatasync)

int unlink(const char *path) {
    int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (result == 0) record((uint32_t)kind_of(path), UNLINK, 0, NULL, 0);
    return result;
}

int close(int fd) {
    if (fd >= 0 && fd < DESCRIPTORS) kinds[fd] = NONE;
    return (int)syscall(SYS_close, fd);
}

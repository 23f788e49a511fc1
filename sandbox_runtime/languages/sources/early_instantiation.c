/*
 * A library for g++'s compiler while it precompiles a header: it instantiates the header's own templates before the
 * header is saved. Otherwise every source with the header instantiates them at its end, which is half of the compiler's
 * time for a short program.
 *
 * The header ends with `#include ".../instantiate.h"` (an empty file) and `#pragma rustbox instantiate`. The compiler
 * opens that file before it parses the header, and then we register the pragma. Its handler runs at namespace scope,
 * after all declarations. Both functions belong to the compiler's plugin interface. `at_eof` tells them that linkage is
 * known; without it constructors would be emitted twice. If one of them is missing or has changed, the compiler fails,
 * and the header is precompiled without this library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

/* c_register_pragma (const char *, const char *, void (*) (cpp_reader *)), instantiate_pending_templates (int), int */
static const char *const REGISTER = "_Z17c_register_pragmaPKcS0_PFvP10cpp_readerE";
static const char *const INSTANTIATE = "_Z29instantiate_pending_templatesi";
static const char *const AT_EOF = "at_eof";
static const char *const LAST = "instantiate.h";

static void (*instantiate_pending)(int);
static int *at_eof;

static void handle(void *reader) {
    (void)reader;
    int before = *at_eof;
    *at_eof = 1;
    instantiate_pending(0);
    *at_eof = before;
}

static void make_known(void) {
    static int is_known;
    void (*make)(const char *, const char *, void (*)(void *)) = dlsym(RTLD_DEFAULT, REGISTER);
    instantiate_pending = dlsym(RTLD_DEFAULT, INSTANTIATE);
    at_eof = dlsym(RTLD_DEFAULT, AT_EOF);
    if (make == NULL || instantiate_pending == NULL || at_eof == NULL || is_known) return;
    is_known = 1;
    make("rustbox", "instantiate", handle);
}

/* The compiler opens sources with it. */
int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    const char *name = strrchr(path, '/');
    if (strcmp(name == NULL ? path : name + 1, LAST) == 0) make_known();
    return openat(AT_FDCWD, path, flags, mode);
}

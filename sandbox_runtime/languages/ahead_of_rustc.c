/*
 * Loaded into rustc before all libraries, to be ahead of it: when it opens its source, mold is started. It reads the
 * libraries while rustc works, three quarters of what it does, and is held before it opens the objects, see held_open.c.
 *
 * What rustc calls to link finds two descriptors (direct_linker.py): it writes the path of the object of HELD_PATH to
 * GATE_FD, and reads from ENDED_FD until mold has ended. All is as ever when it does not.
 *
 * With -DWAITS rustc waits there until there is a source, see waiting.h. It is loaded then, has its command line read,
 * has found its libraries and has memory to begin with, and mold has read the libraries.
 *
 * Built by ahead_of_rustc.py with -DSOURCE=..., -DLINKER=... (words, each a C string with a comma) and the constants
 * that held_open.c has too.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "waiting.h"

/* Ours have higher numbers, so that each of the two can be made of any of them. */
enum { FIRST_OF_OURS = 1 + (GATE_FD > ENDED_FD ? GATE_FD : ENDED_FD) };

static const char *const NOWHERE = "/dev/null";

static char *const linker[] = {LINKER NULL};
static pid_t linking = -1;
static int are_kept; /* the two numbers: else nothing is started ahead */

extern char **environ;

#ifdef WAITS
enum { HEAP_BYTES = 12 << 20, LARGEST_BYTES = 32 << 20, PAGE_BYTES = 1 << 12 };

/* Pages to begin with: a small program takes more, but what nobody wants is held for nothing. All threads use them. */
static void fill_heap(void) {
    if (!mallopt(M_ARENA_MAX, 1) || !mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)) return;
    if (!mallopt(M_TRIM_THRESHOLD, LARGEST_BYTES)) return;
    char *heap = malloc(HEAP_BYTES);
    if (heap == NULL) return;
    char *first = (char *)(((uintptr_t)heap + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1));
    madvise(first, HEAP_BYTES - 2 * PAGE_BYTES, MADV_POPULATE_WRITE); /* where it is refused they come one by one */
    free(heap);
}
#endif

__attribute__((constructor)) static void begin(void) {
    unsetenv("LD_PRELOAD"); /* a source may ask for the environment, and the linker is another program */
    /* rustc gets other numbers, and may hand on what it has by them. */
    int nowhere = open(NOWHERE, O_RDWR | O_CLOEXEC);
    are_kept = dup3(nowhere, GATE_FD, O_CLOEXEC) >= 0 && dup3(nowhere, ENDED_FD, O_CLOEXEC) >= 0;
    if (nowhere >= 0) close(nowhere);
#ifdef WAITS
    fill_heap();
#endif
}

/* rustc had nothing to link, or linked in another way. Nothing may be left when it has ended. */
__attribute__((destructor)) static void end(void) {
    if (linking < 0) return;
    kill(linking, SIGKILL);
    waitpid(linking, NULL, 0);
}

/* A pipe of two numbers that are not in the way; -1: there is none. */
static int make_pipe(int ends[2]) {
    int made[2];
    if (pipe2(made, O_CLOEXEC) < 0) return -1;
    for (int side = 0; side < 2; side++) {
        ends[side] = fcntl(made[side], F_DUPFD_CLOEXEC, FIRST_OF_OURS);
        close(made[side]);
    }
    if (ends[0] >= 0 && ends[1] >= 0) return 0;
    for (int side = 0; side < 2; side++) close(ends[side]);
    return -1;
}

static void spawn_linker(const int gate[2], const int ended[2]) {
    int count = 0;
    while (environ[count] != NULL) count++;
    char **with_held_open = calloc(count + 2, sizeof *with_held_open);
    if (with_held_open == NULL) return;
    memcpy(with_held_open, environ, count * sizeof *with_held_open);
    with_held_open[count] = "LD_PRELOAD=" HELD_LIBRARY;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    /* What it says is nobody's: when it fails, another linker says it. */
    for (int number = 0; number < 3; number++) posix_spawn_file_actions_addopen(&actions, number, NOWHERE, O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, gate[0], HELD_FD);
    posix_spawn_file_actions_adddup2(&actions, ended[1], ENDED_FD);
    if (posix_spawn(&linking, linker[0], &actions, NULL, linker, with_held_open) != 0) linking = -1;
    posix_spawn_file_actions_destroy(&actions);
    free(with_held_open);
}

static void start_linking(void) {
    int gate[2], ended[2];
    if (linker[0] == NULL || !are_kept || make_pipe(gate) < 0) return;
    if (make_pipe(ended) < 0) {
        for (int side = 0; side < 2; side++) close(gate[side]);
        return;
    }
    spawn_linker(gate, ended);
    /* Only these two are passed on. The gate's other end stays open here: to write is no error when mold has ended. */
    if (linking >= 0) dup2(gate[1], GATE_FD), dup2(ended[0], ENDED_FD);
    close(gate[1]), close(ended[0]), close(ended[1]);
}

/* rustc's own thread opens its source, before it starts any other one. */
static int opened(const char *path, int flags, mode_t mode) {
    static int is_begun;
    if (!is_begun && strcmp(path, SOURCE) == 0) {
        is_begun = 1;
        start_linking();
#ifdef WAITS
        char *words[MOST_WORDS];
        wait_to_be_told(words);
#endif
    }
    return openat(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opened(path, flags, mode);
}

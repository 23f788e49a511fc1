/*
 * Compile, assemble and link one source as gcc's driver would, with all three programs started at once.
 *
 *     compile ORDINARY_COMMAND...
 *
 * HEADERS_FILE in the working directory may name a precompiled header. This program deletes it before the compiler
 * starts. It is no argument, because a pre-warmed process must fit every source.
 *
 * The assembler reads from the compiler through a pipe. mold reads the libraries while the compiler works. It waits
 * before it opens the object until the object is complete, see held_open.c.
 *
 * When the compiler exits with 1, we print its diagnostics, as the driver would. With a precompiled header the
 * diagnostics may name other lines, so after any output we compile again without it. In every unexpected case this
 * process executes the ordinary command.
 *
 * Built by gcc/direct.py with -DCOMPILER=..., -DASSEMBLER=..., -DLINKER=... (words, each a C string with a comma) and
 * the constants of held_open.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* For more diagnostics than the output limit allows we execute the ordinary command. */
enum { SAID_BYTES = 2 << 20, PATH_BYTES = 1 << 10, REFUSED = 1, CANNOT_EXECUTE = 126 };

static const char *const NOWHERE = "/dev/null";
static char *const compiler[] = {COMPILER NULL}, *const assembler[] = {ASSEMBLER NULL}, *const linker[] = {LINKER NULL};

enum { COMPILERS_WORDS = sizeof compiler / sizeof *compiler }; /* with the NULL */

extern char **environ;
static char **ordinary;
static pid_t linking = -1;
static struct rlimit file_size; /* the guest's limit; a lower one holds for the diagnostics */
/* Both ends stay open here, so that writing is no error when the linker has already ended. */
static int gate[2] = {-1, -1};

/* The wait status; -1 when there is no such process. */
static int ended(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR) return -1;
    return status;
}

static void stop_linking(void) {
    if (linking < 0) return;
    kill(linking, SIGKILL);
    ended(linking);
    linking = -1;
}

static void become_ordinary(void) {
    stop_linking();
    setrlimit(RLIMIT_FSIZE, &file_size);
    execve(ordinary[0], ordinary, environ);
    _exit(CANNOT_EXECUTE);
}

/* `streams`: become 0, 1 and 2. `extra`: becomes HELD_FD, or -1. Exec closes our other descriptors. */
static pid_t started(char *const *words, const int streams[3], int extra, char **environment) {
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    for (int number = 0; number < 3; number++) posix_spawn_file_actions_adddup2(&actions, streams[number], number);
    if (extra >= 0) posix_spawn_file_actions_adddup2(&actions, extra, HELD_FD);
    if (posix_spawn(&pid, words[0], &actions, NULL, words, environment) != 0) become_ordinary();
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* Move a descriptor above HELD_FD, the number that the linker's gate gets. */
static int out_of_the_way(int fd) {
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, HELD_FD + 1);
    if (moved < 0) become_ordinary();
    close(fd);
    return moved;
}

static void make_pipe(int ends[2]) {
    // Mode 0: a source that includes /proc/self/fd/1 gets an error instead of a deadlock.
    if (pipe2(ends, O_CLOEXEC) < 0 || fchmod(ends[0], 0) < 0) become_ordinary();
    for (int end = 0; end < 2; end++) ends[end] = out_of_the_way(ends[end]);
}

static int opened(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0) become_ordinary();
    return out_of_the_way(fd);
}

static void start_linking(int nowhere) {
    int count = 0;
    while (environ[count] != NULL) count++;
    char **with_held_open = calloc(count + 2, sizeof *with_held_open);
    if (with_held_open == NULL) become_ordinary();
    memcpy(with_held_open, environ, count * sizeof *with_held_open);
    with_held_open[count] = "LD_PRELOAD=" HELD_LIBRARY;
    make_pipe(gate);
    linking = started(linker, (int[]){nowhere, nowhere, nowhere}, gate[0], with_held_open);
    free(with_held_open);
}

/* Returns 0 when the object is complete, else the compiler's wait status, or -1 when the assembler failed. */
static int compiled(const char *headers, int said, int nowhere) {
    char *words[COMPILERS_WORDS + 2];
    memcpy(words, compiler, sizeof compiler);
    if (headers != NULL) {
        words[COMPILERS_WORDS - 1] = "-include";
        words[COMPILERS_WORDS] = (char *)headers;
        words[COMPILERS_WORDS + 1] = NULL;
    }
    int between[2];
    make_pipe(between);
    struct rlimit cut = file_size;
    if (cut.rlim_cur > SAID_BYTES) cut.rlim_cur = SAID_BYTES;
    setrlimit(RLIMIT_FSIZE, &cut);
    pid_t compiling = started(words, (int[]){STDIN_FILENO, between[1], said}, -1, environ);
    setrlimit(RLIMIT_FSIZE, &file_size);
    close(between[1]);
    pid_t assembling = started(assembler, (int[]){between[0], nowhere, nowhere}, -1, environ);
    close(between[0]);
    int status = ended(compiling), assembled = ended(assembling);
    return status != 0 || assembled == 0 ? status : -1;
}

static int has_linked(void) {
    int is_told = write(gate[1], "g", 1) == 1;
    int status = ended(linking);
    linking = -1;
    return is_told && status == 0;
}

static off_t size_of(int said) {
    struct stat facts;
    return fstat(said, &facts) < 0 ? -1 : facts.st_size;
}

/* Print the compiler's diagnostics and exit. */
static void finish(int said, int code) {
    char part[1 << 14];
    ssize_t count, now;
    for (off_t from = 0; (count = pread(said, part, sizeof part, from)) > 0; from += count)
        for (ssize_t done = 0; done < count; done += now)
            if ((now = write(STDERR_FILENO, part + done, count - done)) <= 0) _exit(code);
    _exit(code);
}

/* Returns the header to include first, or NULL. Runs before anything reads the guest's source. */
static const char *taken_headers(void) {
    static char path[PATH_BYTES + 1];
    int fd = open(HEADERS_FILE, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    ssize_t count = read(fd, path, PATH_BYTES);
    close(fd);
    if (unlink(HEADERS_FILE) < 0) become_ordinary();
    return count > 0 ? path : NULL;
}

int main(int count, char **values) {
    if (count < 2) return CANNOT_EXECUTE;
    ordinary = values + 1;
    if (getrlimit(RLIMIT_FSIZE, &file_size) < 0) return CANNOT_EXECUTE;
    const char *headers = taken_headers();
    int nowhere = opened(NOWHERE, O_RDWR), said = opened(SAID, O_RDWR | O_CREAT | O_EXCL | O_APPEND);
    start_linking(nowhere);
    int status = -1;
    if (headers != NULL) {
        status = compiled(headers, said, nowhere);
        if (size_of(said) != 0) status = -1;
    }
    if (status != 0) {
        if (ftruncate(said, 0) < 0) become_ordinary();
        status = compiled(NULL, said, nowhere);
    }
    if (status == 0 && has_linked()) finish(said, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED && size_of(said) > 0) {
        stop_linking();
        finish(said, REFUSED);
    }
    become_ordinary();
}

/* What C programs use of the C library and of POSIX. Prints "ok <part>" or "FAILED <part> ..."; exit code 1 if any failed. */
#define _GNU_SOURCE
#include <aio.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <locale.h>
#include <math.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <threads.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <utime.h>
#include <wordexp.h>

static int failures;
static const char *part;
#define NEED(condition) do { if (!(condition)) { printf("FAILED %s line %d: %s: %s\n", part, __LINE__, #condition, strerror(errno)); failures++; return; } } while (0)

static void files(void) {
    int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0644), other;
    NEED(fd >= 0 && write(fd, "hello world", 11) == 11 && pwrite(fd, "H", 1, 0) == 1);
    char text[32] = "";
    struct iovec parts[2] = {{text, 5}, {text + 5, 6}};
    NEED(lseek(fd, 0, SEEK_SET) == 0 && readv(fd, parts, 2) == 11 && !strcmp(text, "Hello world"));
    NEED(pread(fd, text, 5, 6) == 5 && preadv(fd, parts, 2, 0) == 11 && preadv2(fd, parts, 2, 0, 0) == 11);
    NEED(writev(fd, parts, 2) == 11 && pwritev(fd, parts, 2, 0) == 11 && pwritev2(fd, parts, 2, 0, 0) == 11);
    NEED(fsync(fd) == 0 && fdatasync(fd) == 0 && posix_fallocate(fd, 0, 4096) == 0 && ftruncate(fd, 11) == 0);
    NEED(syncfs(fd) == 0 && sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) == 0);
    sync();
    NEED(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0 && readahead(fd, 0, 11) == 0);
    struct stat facts;
    struct statx more;
    NEED(stat("a", &facts) == 0 && fstat(fd, &facts) == 0 && facts.st_size == 11 && lstat("a", &facts) == 0);
    NEED(statx(AT_FDCWD, "a", 0, STATX_ALL, &more) == 0 && more.stx_size == 11);
    NEED(chmod("a", 0600) == 0 && fchmod(fd, 0644) == 0 && fchmodat(AT_FDCWD, "a", 0640, 0) == 0);
    NEED(chown("a", getuid(), getgid()) == 0 && fchown(fd, -1, -1) == 0 && lchown("a", -1, -1) == 0);
    NEED(access("a", R_OK) == 0 && faccessat(AT_FDCWD, "a", R_OK, AT_EACCESS) == 0 && euidaccess("a", R_OK) == 0);
    struct utimbuf old = {1, 2};
    struct timespec times[2] = {{5, 0}, {6, 0}};
    NEED(utime("a", &old) == 0 && utimensat(AT_FDCWD, "a", times, 0) == 0 && futimens(fd, times) == 0);
    NEED(link("a", "b") == 0 && symlink("a", "c") == 0 && readlink("c", text, sizeof text) == 1);
    NEED(rename("b", "d") == 0 && renameat2(AT_FDCWD, "d", AT_FDCWD, "a", RENAME_EXCHANGE) == 0 && unlink("d") == 0);
    NEED(truncate("a", 4) == 0 && mkdir("e", 0755) == 0 && chdir("e") == 0 && chdir("..") == 0 && rmdir("e") == 0);
    NEED(mkfifo("f", 0600) == 0 && mknod("g", S_IFREG | 0600, 0) == 0 && umask(022) == 022);
    NEED(flock(fd, LOCK_EX) == 0 && lockf(fd, F_TLOCK, 0) == -1 && errno == ENOLCK && fcntl(fd, F_GETFL) >= 0);
    NEED((other = dup(fd)) >= 0 && dup2(fd, other) == other && dup3(fd, other, O_CLOEXEC) == other);
    NEED(close(other) == 0 && close_range(other, other, 0) == 0);
    struct statvfs system_facts;
    NEED(statvfs("/tmp", &system_facts) == 0 && fstatvfs(fd, &system_facts) == 0);
    if (setxattr("a", "user.x", "1", 1, 0) == 0)
        NEED(getxattr("a", "user.x", text, 9) == 1 && listxattr("a", text, 32) > 0 && removexattr("a", "user.x") == 0);
    else NEED(errno == ENOTSUP);
    close(fd);
    for (const char *name = "afgc"; *name; name++) unlink((char[]){*name, 0});
}

static int count_entry(const char *path, const struct stat *facts, int kind, struct FTW *place) {
    (void)facts, (void)kind, (void)place;
    return path[0] == 0;
}

static void directories_and_streams(void) {
    char name[] = "/tmp/namedXXXXXX", directory[] = "/tmp/dirXXXXXX", line[64], here[256];
    int fd = mkstemp(name);
    NEED(fd >= 0 && mkdtemp(directory) != NULL && getcwd(here, sizeof here) != NULL);
    FILE *stream = fdopen(fd, "w+");
    NEED(stream && fprintf(stream, "%d %.2f\n", 7, 1.5) > 0 && fseek(stream, 0, SEEK_SET) == 0);
    NEED(fgets(line, sizeof line, stream) && !strcmp(line, "7 1.50\n") && fclose(stream) == 0 && remove(name) == 0);
    NEED((stream = tmpfile()) && fputs("x", stream) >= 0 && fclose(stream) == 0);
    NEED((stream = fmemopen(line, sizeof line, "w")) && fclose(stream) == 0);
    DIR *open_directory = opendir("/usr/include");
    NEED(open_directory && readdir(open_directory) && (rewinddir(open_directory), closedir(open_directory) == 0));
    struct dirent **entries;
    int count = scandir("/dev", &entries, NULL, alphasort);
    NEED(count > 2);
    while (count--) free(entries[count]);
    free(entries);
    NEED(nftw("/dev", count_entry, 4, FTW_PHYS) == 0 && rmdir(directory) == 0);
    glob_t found;
    NEED(glob("/usr/include/std*.h", 0, NULL, &found) == 0 && found.gl_pathc > 1);
    globfree(&found);
    wordexp_t words;
    NEED(wordexp("a $HOME ~", &words, WRDE_NOCMD) == 0);
    wordfree(&words);
    char *resolved = realpath("/dev/stdin", NULL);
    NEED(resolved != NULL || errno == ENOENT || errno == EACCES);
    free(resolved);
    NEED(setlocale(LC_ALL, "C.UTF-8") != NULL && isatty(0) == 0);
}

static void memory(void) {
    size_t page = sysconf(_SC_PAGESIZE);
    char *area = mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(area != MAP_FAILED && (area[0] = 1));
    NEED((area = mremap(area, 8 * page, 64 * page, MREMAP_MAYMOVE)) != MAP_FAILED && mprotect(area, page, PROT_READ) == 0);
    NEED(madvise(area, 64 * page, MADV_DONTNEED) == 0 && mlock(area, page) == 0 && munlock(area, page) == 0);
    NEED(mlock2(area, page, 0) == 0 && munlockall() == 0 && munmap(area, 64 * page) == 0);
    int fd = memfd_create("m", MFD_ALLOW_SEALING);
    NEED(fd >= 0 && ftruncate(fd, page) == 0);
    unsigned char resident;
    NEED((area = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) != MAP_FAILED && (area[0] = 'x'));
    NEED(msync(area, page, MS_SYNC) == 0 && mincore(area, page, &resident) == 0 && munmap(area, page) == 0);
    NEED(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0 && close(fd) == 0);
    NEED((fd = shm_open("/part", O_CREAT | O_RDWR, 0600)) >= 0 && shm_unlink("/part") == 0 && close(fd) == 0);
    void *whole = malloc(20 << 20), *aligned = NULL;
    NEED(whole && memset(whole, 1, 20 << 20) && posix_memalign(&aligned, 4096, 1 << 16) == 0);
    free(whole), free(aligned);
    NEED(sbrk(4096) != (void *)-1 && syscall(SYS_membarrier, 0, 0, 0) >= 0);
    int key = pkey_alloc(0, 0);
    if (key >= 0) NEED(pkey_free(key) == 0);
    else NEED(errno == ENOSPC || errno == EINVAL || errno == ENOSYS);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn, total;

static void *count_up(void *argument) {
    for (int i = 0; i < 1000; i++) pthread_mutex_lock(&mutex), total++, pthread_mutex_unlock(&mutex);
    pthread_mutex_lock(&mutex), turn++, pthread_cond_broadcast(&changed), pthread_mutex_unlock(&mutex);
    return argument;
}
static void *wait_for_ever(void *argument) {
    for (;;) pause();
    return argument;
}
static int thread_of_c11(void *argument) { return argument != NULL; }

static void threads(void) {
    pthread_t thread[3];
    total = turn = 0;
    for (int i = 0; i < 3; i++) NEED(pthread_create(&thread[i], NULL, count_up, &turn) == 0);
    pthread_mutex_lock(&mutex);
    while (turn < 3) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    void *result;
    for (int i = 0; i < 3; i++) NEED(pthread_join(thread[i], &result) == 0 && result == &turn);
    NEED(total == 3000);
    NEED(pthread_create(&thread[0], NULL, wait_for_ever, NULL) == 0 && pthread_setname_np(pthread_self(), "main") == 0);
    NEED(pthread_setname_np(thread[0], "sleeper") == EROFS); // it writes to /proc, which is read-only
    char name[16];
    clockid_t clock;
    struct sched_param priority;
    cpu_set_t cores;
    NEED(pthread_getname_np(thread[0], name, sizeof name) == 0 && pthread_getcpuclockid(thread[0], &clock) == 0);
    int policy;
    NEED(pthread_getschedparam(thread[0], &policy, &priority) == 0 && pthread_setschedparam(thread[0], policy, &priority) == 0);
    NEED(pthread_getaffinity_np(thread[0], sizeof cores, &cores) == 0 && pthread_setaffinity_np(thread[0], sizeof cores, &cores) == 0);
    NEED(pthread_cancel(thread[0]) == 0 && pthread_join(thread[0], &result) == 0 && result == PTHREAD_CANCELED);
    thrd_t other;
    int answer;
    NEED(thrd_create(&other, thread_of_c11, &other) == thrd_success && thrd_join(other, &answer) == thrd_success && answer == 1);
    pthread_barrier_t barrier;
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    NEED(pthread_barrier_init(&barrier, NULL, 1) == 0 && pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
    NEED(pthread_rwlock_rdlock(&lock) == 0 && pthread_rwlock_unlock(&lock) == 0);
    pthread_mutexattr_t kind;
    pthread_mutex_t inheriting;
    NEED(pthread_mutexattr_init(&kind) == 0 && pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT) == 0);
    NEED(pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) == 0 && pthread_mutex_init(&inheriting, &kind) == 0);
    NEED(pthread_mutex_lock(&inheriting) == 0 && pthread_mutex_unlock(&inheriting) == 0);
    sem_t private_semaphore, *named;
    struct timespec past = {1, 0};
    NEED(sem_init(&private_semaphore, 0, 1) == 0 && sem_wait(&private_semaphore) == 0);
    NEED(sem_timedwait(&private_semaphore, &past) == -1 && errno == ETIMEDOUT);
    NEED((named = sem_open("/part", O_CREAT, 0600, 1)) != SEM_FAILED && sem_post(named) == 0 && sem_unlink("/part") == 0);
    char data[4] = "";
    int fd = open("/dev/zero", O_RDONLY);
    struct aiocb request = {.aio_fildes = fd, .aio_buf = data, .aio_nbytes = 4};
    const struct aiocb *list[1] = {&request};
    NEED(aio_read(&request) == 0 && aio_suspend(list, 1, NULL) == 0 && aio_return(&request) == 4 && close(fd) == 0);
}

static volatile sig_atomic_t seen;
static sigjmp_buf back;
static void note(int number) { seen = number; }
static void note_value(int number, siginfo_t *facts, void *context) { (void)number, (void)context, seen = facts->si_value.sival_int; }
static void leave(int number) { (void)number, siglongjmp(back, 1); }
static void tick(union sigval value) { *(volatile int *)value.sival_ptr = 1; }

static void signals_and_timers(void) {
    struct sigaction action = {.sa_handler = note};
    NEED(sigaction(SIGUSR1, &action, NULL) == 0 && raise(SIGUSR1) == 0 && seen == SIGUSR1);
    NEED(pthread_kill(pthread_self(), SIGUSR1) == 0 && kill(getpid(), SIGUSR1) == 0 && syscall(SYS_tkill, gettid(), SIGUSR1) == 0);
    action = (struct sigaction){.sa_sigaction = note_value, .sa_flags = SA_SIGINFO};
    NEED(sigaction(SIGUSR2, &action, NULL) == 0 && sigqueue(getpid(), SIGUSR2, (union sigval){77}) == 0 && seen == 77);
    NEED(pthread_sigqueue(pthread_self(), SIGUSR2, (union sigval){78}) == 0 && seen == 78);
    sigset_t set, pending;
    struct timespec moment = {0, 1000000};
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGUSR1) == 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
    int number;
    NEED(sigwait(&set, &number) == 0 && number == SIGUSR1 && sigtimedwait(&set, NULL, &moment) == -1 && errno == EAGAIN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    struct signalfd_siginfo facts;
    NEED(fd >= 0 && raise(SIGUSR1) == 0 && read(fd, &facts, sizeof facts) == sizeof facts && close(fd) == 0);
    NEED(raise(SIGUSR1) == 0);
    sigemptyset(&pending);
    NEED(sigsuspend(&pending) == -1 && errno == EINTR && sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);

    action = (struct sigaction){.sa_handler = note};
    NEED(sigaction(SIGALRM, &action, NULL) == 0 && alarm(100) == 0 && alarm(0) == 100);
    struct itimerval soon = {.it_value = {0, 1000}}, left;
    seen = 0;
    // Blocked until we wait: a slow machine must not lose the signal between two calls.
    sigemptyset(&set), sigaddset(&set, SIGALRM), sigaddset(&set, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && setitimer(ITIMER_REAL, &soon, NULL) == 0 && getitimer(ITIMER_REAL, &left) == 0);
    NEED(sigsuspend(&pending) == -1 && seen == SIGALRM);
    timer_t timer;
    volatile int ticked = 0;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec once = {.it_value = {0, 1000000}}, rest;
    NEED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &once, NULL) == 0);
    NEED(sigwaitinfo(&set, NULL) == SIGUSR1 && sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    NEED(timer_gettime(timer, &rest) == 0 && timer_getoverrun(timer) == 0 && timer_delete(timer) == 0);
    event = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tick, .sigev_value.sival_ptr = (void *)&ticked};
    NEED(timer_create(CLOCK_REALTIME, &event, &timer) == 0 && timer_settime(timer, 0, &once, NULL) == 0);
    for (int i = 0; i < 2000 && !ticked; i++) nanosleep(&moment, NULL);
    NEED(ticked && timer_delete(timer) == 0);
    uint64_t times;
    NEED((fd = timerfd_create(CLOCK_MONOTONIC, 0)) >= 0 && timerfd_settime(fd, 0, &once, NULL) == 0);
    NEED(timerfd_gettime(fd, &rest) == 0 && read(fd, &times, 8) == 8 && close(fd) == 0);
    struct timespec now, resolution;
    NEED(clock_gettime(CLOCK_MONOTONIC, &now) == 0 && clock_getres(CLOCK_REALTIME, &resolution) == 0);
    NEED(clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL) == 0 && usleep(1000) == 0 && time(NULL) > 1000);

    static char other_stack[1 << 16];
    stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
    action = (struct sigaction){.sa_handler = leave, .sa_flags = SA_ONSTACK};
    NEED(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
    if (sigsetjmp(back, 1) == 0) {
        *(volatile int *)getauxval(0) = 1; // no such entry: a null pointer that the compiler does not see
        NEED(!"a fault");
    }
    signal(SIGSEGV, SIG_DFL);
}

static ucontext_t main_context, other_context;
static void in_other_context(void) { turn = 99; }

static void waiting(void) {
    int pipe_fds[2], epoll_fd = epoll_create1(EPOLL_CLOEXEC), event_fd = eventfd(0, 0);
    NEED(pipe(pipe_fds) == 0 && epoll_fd >= 0 && event_fd >= 0 && write(pipe_fds[1], "x", 1) == 1);
    struct epoll_event event = {.events = EPOLLIN}, got;
    struct timespec moment = {0, 1000};
    NEED(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pipe_fds[0], &event) == 0 && epoll_wait(epoll_fd, &got, 1, 10) == 1);
    NEED(epoll_pwait(epoll_fd, &got, 1, 10, NULL) == 1 && epoll_pwait2(epoll_fd, &got, 1, &moment, NULL) == 1);
    struct pollfd polled = {pipe_fds[0], POLLIN, 0};
    fd_set set;
    struct timeval brief = {0, 1000};
    FD_ZERO(&set);
    FD_SET(pipe_fds[0], &set);
    NEED(poll(&polled, 1, 10) == 1 && ppoll(&polled, 1, &moment, NULL) == 1 && select(pipe_fds[0] + 1, &set, NULL, NULL, &brief) == 1);
    NEED(pselect(pipe_fds[0] + 1, &set, NULL, NULL, &moment, NULL) == 1 && eventfd_write(event_fd, 3) == 0);
    eventfd_t value;
    NEED(eventfd_read(event_fd, &value) == 0 && value == 3 && close(epoll_fd) == 0 && close(event_fd) == 0);
    int second[2], file = open("sent", O_RDWR | O_CREAT, 0600), copy = open("copy", O_RDWR | O_CREAT, 0600);
    NEED(pipe2(second, O_CLOEXEC) == 0 && tee(pipe_fds[0], second[1], 1, 0) == 1 && splice(pipe_fds[0], NULL, file, NULL, 1, 0) == 1);
    off_t start = 0;
    NEED(sendfile(copy, file, &start, 1) == 1 && (start = 0, copy_file_range(file, &start, copy, NULL, 1, 0) == 1));
    close(file), close(copy), unlink("sent"), unlink("copy");
    close(second[0]), close(second[1]), close(pipe_fds[0]), close(pipe_fds[1]);
    static char stack[1 << 16];
    NEED(getcontext(&other_context) == 0);
    other_context.uc_stack.ss_sp = stack, other_context.uc_stack.ss_size = sizeof stack, other_context.uc_link = &main_context;
    makecontext(&other_context, in_other_context, 0);
    NEED(swapcontext(&main_context, &other_context) == 0 && turn == 99);
}

extern char **environ;

static void processes(void) {
    int status;
    char line[32] = "";
    pid_t child = fork();
    if (child == 0) setsid(), setpgid(0, 0), _exit(5);
    siginfo_t facts;
    NEED(child > 0 && waitid(P_PID, child, &facts, WEXITED | WNOWAIT) == 0 && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5);
    if ((child = vfork()) == 0) _exit(6);
    struct rusage usage;
    NEED(wait4(child, &status, 0, &usage) == child && WEXITSTATUS(status) == 6);
    FILE *stream = popen("echo from the shell | tr a-z A-Z", "r");
    NEED(stream && fgets(line, sizeof line, stream) && !strcmp(line, "FROM THE SHELL\n") && pclose(stream) == 0);
    NEED(system("exit 3") == 3 << 8);
    char *argv[] = {"true", NULL};
    NEED(posix_spawnp(&child, "true", NULL, NULL, argv, environ) == 0 && waitpid(child, &status, 0) == child && status == 0);
    if ((child = fork()) == 0) {
        int program = open("/usr/bin/true", O_PATH);
        fexecve(program, argv, environ);
        _exit(9);
    }
    NEED(waitpid(child, &status, 0) == child && status == 0);
    if ((child = fork()) == 0) wait_for_ever(NULL);
    int pidfd = pidfd_open(child, 0);
    NEED(pidfd >= 0 && pidfd_send_signal(pidfd, SIGTERM, NULL, 0) == 0 && waitpid(child, &status, 0) == child && close(pidfd) == 0);
    NEED(WTERMSIG(status) == SIGTERM && getppid() > 0 && getpgid(0) > 0 && getsid(0) > 0 && getpgrp() > 0);
    struct rlimit limit;
    struct tms times_used;
    NEED(getrusage(RUSAGE_CHILDREN, &usage) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0 && times(&times_used) != (clock_t)-1);
    limit.rlim_cur = limit.rlim_max = 4096;
    NEED(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0 && prlimit(0, RLIMIT_NOFILE, NULL, &limit) == 0);
    struct sched_param priority = {0};
    NEED(getpriority(PRIO_PROCESS, 0) >= 0 && nice(1) >= 0 && sched_setscheduler(0, SCHED_BATCH, &priority) == 0);
    NEED(sched_getscheduler(0) == SCHED_BATCH && sched_getparam(0, &priority) == 0 && sched_setparam(0, &priority) == 0);
    struct timespec slice;
    NEED(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_FIFO) == 1 && sched_yield() == 0);
    NEED(sched_rr_get_interval(0, &slice) == 0 && sched_getcpu() >= 0 && get_nprocs() > 0 && sysconf(_SC_NPROCESSORS_ONLN) > 0);
    struct utsname name;
    struct sysinfo info;
    unsigned char bytes[16];
    NEED(uname(&name) == 0 && sysinfo(&info) == 0 && getrandom(bytes, 16, 0) == 16 && getentropy(bytes, 16) == 0);
    uid_t real, effective, saved;
    NEED(getresuid(&real, &effective, &saved) == 0 && setuid(real) == 0 && seteuid(real) == 0 && setgid(getgid()) == 0 && getgroups(0, NULL) >= 0);
    NEED(prctl(PR_SET_NAME, "workload") == 0 && prctl(PR_SET_PDEATHSIG, 0) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
    NEED(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0 && prctl(PR_SET_TIMERSLACK, 50000) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0);
}

static void messages(void) {
    int pair[2], passed = open("/dev/null", O_RDONLY), type;
    socklen_t size = sizeof type;
    char text[8] = "", space[CMSG_SPACE(sizeof(int))];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && send(pair[0], "hi", 2, 0) == 2 && recv(pair[1], text, 8, 0) == 2);
    struct iovec piece = {text, 2};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *extra = CMSG_FIRSTHDR(&message);
    extra->cmsg_level = SOL_SOCKET, extra->cmsg_type = SCM_RIGHTS, extra->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(extra), &passed, sizeof passed);
    NEED(sendmsg(pair[0], &message, 0) == 2 && recvmsg(pair[1], &message, 0) == 2 && message.msg_controllen > 0);
    memcpy(&type, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof type);
    NEED(close(type) == 0 && close(passed) == 0);
    NEED(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &type, &size) == 0 && setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &type, size) == 0);
    struct mmsghdr many = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};
    NEED(sendmmsg(pair[0], &many, 1, 0) == 1 && recvmmsg(pair[1], &many, 1, 0, NULL) == 1 && shutdown(pair[0], SHUT_RDWR) == 0);
    close(pair[0]), close(pair[1]);
    struct sockaddr_un address = {AF_UNIX, "/tmp/socket"};
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), taken;
    NEED(bind(server, (void *)&address, sizeof address) == 0 && listen(server, 1) == 0 && connect(client, (void *)&address, sizeof address) == 0);
    size = sizeof address;
    NEED((taken = accept4(server, NULL, NULL, 0)) >= 0 && getsockname(taken, (void *)&address, &size) == 0 && getpeername(taken, (void *)&address, &size) == 0);
    close(server), close(client), close(taken), unlink("/tmp/socket");
    int tcp = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), udp = socket(AF_INET6, SOCK_DGRAM, 0);
    struct addrinfo *list = NULL, hints = {.ai_socktype = SOCK_STREAM};
    NEED(tcp >= 0 && udp >= 0 && close(tcp) == 0 && close(udp) == 0);
    NEED(getaddrinfo("127.0.0.1", "80", &hints, &list) == 0 && getaddrinfo("example.org", "80", &hints, &list) != 0);

    int shared = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600), semaphores = semget(IPC_PRIVATE, 1, 0600), queue = msgget(IPC_PRIVATE, 0600);
    char *area = shmat(shared, NULL, 0);
    NEED(shared >= 0 && area != (void *)-1 && (area[0] = 1) && shmdt(area) == 0 && shmctl(shared, IPC_RMID, NULL) == 0);
    struct sembuf up = {0, 1, 0}, down = {0, -1, IPC_NOWAIT};
    struct timespec moment = {0, 1000};
    NEED(semaphores >= 0 && semop(semaphores, &up, 1) == 0 && semtimedop(semaphores, &down, 1, &moment) == 0 && semctl(semaphores, 0, IPC_RMID) == 0);
    struct { long type; char text[4]; } letter = {1, "abc"};
    NEED(queue >= 0 && msgsnd(queue, &letter, 4, 0) == 0 && msgrcv(queue, &letter, 4, 1, 0) == 4 && msgctl(queue, IPC_RMID, NULL) == 0);
}

static void library(void) {
    void *math = dlopen("libm.so.6", RTLD_NOW);
    NEED(math);
    double (*cosine)(double) = (double (*)(double))dlsym(math, "cos");
    NEED(cosine && cosine(0) == 1.0 && dlclose(math) == 0);
    time_t moment = 0;
    char text[64];
    NEED(strftime(text, sizeof text, "%Y", gmtime(&moment)) == 4 && localtime(&moment) && getenv("HOME"));
    NEED(gethostname(text, sizeof text) == 0 && strtol("42", NULL, 10) == 42 && sqrt(16.0) == 4.0);
}

int main(void) {
    struct { const char *name; void (*run)(void); } parts[] = {
        {"files", files}, {"directories and streams", directories_and_streams}, {"memory", memory}, {"threads", threads},
        {"signals and timers", signals_and_timers}, {"waiting", waiting}, {"processes", processes}, {"messages", messages},
        {"library", library},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int before = failures;
        part = parts[i].name;
        parts[i].run();
        if (failures == before) printf("ok %s\n", part);
        fflush(stdout);
    }
    return failures != 0;
}

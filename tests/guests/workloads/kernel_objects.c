/* Takes as many kernel objects of one kind as it gets, in itself and in children, and holds them until it is killed.
 * The kind comes from the input. Prints how many it has. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES = 40, MOST = 60000, PAGE = 4096 };
#define SHARED_FILE "/usr/bin/env"
static char block[1 << 16];

static int pipes(long number) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) != 0) return 0;
    while (write(ends[1], block, sizeof block) > 0);
    return number < MOST;
}
static int pairs_of_sockets(long number) {
    int pair[2];
    if (socketpair(AF_UNIX, number % 2 ? SOCK_DGRAM : SOCK_STREAM, 0, pair) != 0) return 0;
    for (int side = 0; side < 2; side++) while (send(pair[side], block, 1 << 12, MSG_DONTWAIT) > 0);
    return 1;
}
static int sockets_of_the_network(long number) {
    int made = socket(number % 2 ? AF_INET : AF_INET6, number % 3 ? SOCK_STREAM : SOCK_DGRAM, 0);
    struct ip_mreqn group = {.imr_ifindex = 1};
    for (unsigned last = 1; made >= 0 && last < 100; last++) {
        group.imr_multiaddr.s_addr = htonl(0xE0000000 + last);
        setsockopt(made, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group);
    }
    *(struct cmsghdr *)block = (struct cmsghdr){60000, IPPROTO_UDP, 0};
    setsockopt(made, IPPROTO_IPV6, IPV6_2292PKTOPTIONS, block, 60000);
    struct tcp_md5sig key = {.tcpm_keylen = TCP_MD5SIG_MAXKEYLEN};
    key.tcpm_addr.ss_family = number % 2 ? AF_INET : AF_INET6;
    struct sockaddr_in6 *peer = (void *)&key.tcpm_addr;
    do peer->sin6_addr.s6_addr32[0] += 1, ((struct sockaddr_in *)peer)->sin_addr.s_addr += 1;
    while (setsockopt(made, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key) == 0);
    return made >= 0;
}
static int names_of_sockets(long number) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int made = socket(AF_UNIX, SOCK_DGRAM, 0);
    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "%ld-%d-%s", number, getpid(), "a name that is as long as a name may be, which is some 100 characters");
    return made >= 0 && bind(made, (struct sockaddr *)&name, sizeof name) == 0;
}
static int descriptors_under_way(long number) {
    static int pair[2] = {-1, -1};
    if (number % 100 == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) return 0;
    int sent[8];
    union { char bytes[CMSG_SPACE(sizeof sent)]; struct cmsghdr header; } control = {{0}};
    struct iovec part = {block, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    for (int place = 0; place < 8; place++) sent[place] = open(SHARED_FILE, O_RDONLY);
    control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof sent)};
    memcpy(CMSG_DATA(&control.header), sent, sizeof sent);
    int done = sendmsg(pair[0], &message, MSG_DONTWAIT) == 1;
    for (int place = 0; place < 8; place++) close(sent[place]);
    return done;
}
static int queues_of_events(long number) {
    int queue = epoll_create1(0), watched[2];
    struct epoll_event event = {.events = EPOLLIN};
    if (queue < 0 || pipe(watched) != 0) return 0;
    for (int fd = 0; fd < 64; fd++) epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event);
    return number < MOST;
}
static int event_descriptors(long number) {
    sigset_t all;
    sigfillset(&all);
    return (number % 3 == 0 ? eventfd(0, 0) : number % 3 == 1 ? signalfd(-1, &all, 0) : timerfd_create(CLOCK_MONOTONIC, 0)) >= 0;
}
static int timers(long number) {
    timer_t timer;
    return number < MOST && timer_create(CLOCK_MONOTONIC, 0, &timer) == 0;
}
static int pending_signals(long number) {
    return number < MOST && sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0;
}
static int queues_of_messages(long number) {
    int queue = msgget(IPC_PRIVATE, 0600);
    block[0] = 1;
    while (queue >= 0 && msgsnd(queue, block, 1 << 12, IPC_NOWAIT) == 0);
    return queue >= 0 && number < MOST;
}
static int semaphores(long number) {
    int set = semget(IPC_PRIVATE, 250, 0600);
    struct sembuf up = {0, 1, SEM_UNDO};
    return set >= 0 && semop(set, &up, 1) == 0 && number < MOST;
}
static int segments(long number) {
    int segment = shmget(IPC_PRIVATE, PAGE, 0600);
    char *seen = segment < 0 ? (char *)-1 : shmat(segment, 0, 0);
    if (seen == (char *)-1) return 0;
    *seen = 1;
    return number < MOST;
}
static int message_queues(long number) {
    char name[32];
    snprintf(name, sizeof name, "/%d-%ld", getpid(), number);
    return mq_open(name, O_CREAT | O_RDWR, 0600, 0) >= 0;
}
static int memory_files(long number) {
    int made = memfd_create("x", 0);
    return made >= 0 && ftruncate(made, 1 << 20) == 0 && pwrite(made, "x", 1, 0) == 1 && number < MOST;
}
static int files_locked_and_mapped(long number) {
    int made = open(SHARED_FILE, O_RDONLY);
    if (made < 0 || flock(made, LOCK_SH) != 0) return 0; // it succeeds and locks nothing
    int kept = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, made, 0) != MAP_FAILED;
    close(made);
    return kept && number < MOST;
}
static int files_with_owners(long number) {
    int made = open(SHARED_FILE, O_RDONLY);
    if (made < 0) return 0;
    fcntl(made, F_SETOWN, getpid()); // it is refused
    int kept = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, made, 0) != MAP_FAILED;
    close(made);
    return kept && number < MOST;
}
static int locks_of_ranges(long number) {
    static int made = -1;
    char name[32];
    snprintf(name, sizeof name, "/tmp/%d-%ld", getpid(), number / 500);
    if (number % 500 == 0) made = open(name, O_RDWR | O_CREAT, 0600); // a long list would make each lock slow
    struct flock one = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = number * 2, .l_len = 1};
    return made >= 0 && fcntl(made, F_OFD_SETLK, &one) == 0;
}
static int named_areas(long number) {
    static char *area;
    char name[80];
    if (number == 0) area = mmap(0, (size_t)2 * MOST * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    snprintf(name, sizeof name, "%070ld", number);
    prctl(PR_SET_VMA, 0, area + 2 * number * PAGE, PAGE, name);
    return mprotect(area + 2 * number * PAGE, PAGE, PROT_NONE) == 0 && number < MOST;
}
static int page_tables(long number) {
    char *area = mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    area = mmap((void *)((number + 100) << 21 | 1L << 44), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return area != MAP_FAILED && *(volatile char *)area == 0 && number < 20000;
}
static void *sleeper(void *nothing) {
    for (;;) pause();
    return nothing;
}
static int threads(long number) {
    pthread_t made;
    return pthread_create(&made, 0, sleeper, 0) == 0 && number < MOST;
}
static int links(long number) {
    char name[64], target[120];
    memset(target, 'x', sizeof target);
    target[sizeof target - 1] = 0;
    snprintf(name, sizeof name, "/tmp/%d-%ld", getpid(), number);
    return symlink(target, name) == 0;
}
static int attributes(long number) {
    static int made = -1;
    char name[64];
    if (made < 0) made = open("attributes", O_RDWR | O_CREAT, 0600);
    snprintf(name, sizeof name, "user.%d-%ld", getpid(), number);
    return fsetxattr(made, name, block, 128, 0) == 0;
}
static int has_list(const char *name, int entries) {
    static struct { int version; struct { short tag, rights; int user; } entry[8190]; } list = {2};
    static const short last[] = {0, 0x20, 0x10, 4};
    for (int place = 0; place < entries; place++) {
        list.entry[place].tag = place == 0 ? 1 : entries - place < 4 ? last[entries - place] : 2;
        list.entry[place].user = getuid();
    }
    int size = 4 + 8 * entries;
    return setxattr(name, "system.posix_acl_access", &list, size, 0) == 0
        && setxattr(name, "system.posix_acl_default", &list, size, 0) == 0;
}
static int access_lists(long number) {
    char name[64];
    snprintf(name, sizeof name, "/tmp/%d-%ld", getpid(), number);
    if (mkdir(name, 0700) != 0) return 0;
    return has_list(name, 8190) ? number < 40 : has_list(name, 15);
}
static int absent_names(long number) {
    char name[200];
    struct stat facts;
    snprintf(name, sizeof name, "/usr/%d-%0120ld", getpid(), number);
    stat(name, &facts);
    return number < MOST;
}

static const struct { const char *name; int (*take)(long); } kinds[] = {
    {"pipes", pipes}, {"pairs_of_sockets", pairs_of_sockets}, {"sockets_of_the_network", sockets_of_the_network},
    {"names_of_sockets", names_of_sockets}, {"descriptors_under_way", descriptors_under_way},
    {"queues_of_events", queues_of_events}, {"event_descriptors", event_descriptors}, {"timers", timers},
    {"pending_signals", pending_signals}, {"queues_of_messages", queues_of_messages}, {"semaphores", semaphores},
    {"segments", segments}, {"message_queues", message_queues}, {"memory_files", memory_files},
    {"files_locked_and_mapped", files_locked_and_mapped}, {"files_with_owners", files_with_owners},
    {"locks_of_ranges", locks_of_ranges}, {"named_areas", named_areas}, {"page_tables", page_tables}, {"threads", threads}, {"links", links},
    {"attributes", attributes}, {"access_lists", access_lists}, {"absent_names", absent_names},
};

int main(void) {
    char wanted[64] = "";
    if (fgets(wanted, sizeof wanted, stdin) == NULL) return 2;
    wanted[strcspn(wanted, "\n")] = 0;
    sigset_t blocked;
    sigfillset(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, 0);
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        if (strcmp(kinds[kind].name, wanted) != 0) continue;
        for (int child = 0; child < PROCESSES && fork() > 0; child++);
        long number = 0;
        while (kinds[kind].take(number)) number++;
        dprintf(1, "%ld\n", number);
        for (;;) pause();
    }
    return 3;
}

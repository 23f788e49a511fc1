/*
 * What a command does that is started before there is anything to run (WaitingCommand in jail/spec.py).
 *
 * Descriptor 3 is a socket of messages, 4 holds all files, one behind the other. One byte on 3 says that we wait. The
 * one message that comes is a list of texts, each ended by a NUL: how many words, the words, then for each file its
 * name, its size and whether it is executable. Both descriptors are closed before any code of the program runs. Nobody
 * but the supervisor holds the other end: no guest's code has run here before.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHANNEL = 3, FILES = 4, FAILED = 1, MESSAGE_BYTES = 1 << 16, MOST_WORDS = 64 };

static char message[MESSAGE_BYTES + 1];

static void fail(const char *step) {
    fprintf(stderr, "waiting command: %s: %s\n", step, strerror(errno));
    _exit(FAILED);
}

/* The next text of the message; the message ends with a NUL, and so does the buffer. */
static char *next_text(char **place, char *end) {
    if (*place >= end) fail("read the message");
    char *text = *place;
    *place += strlen(text) + 1;
    return text;
}

static void place_file(const char *name, off_t size, int executable) {
    /* No code of a guest's has run here: O_EXCL refuses a name that is there already all the same. */
    int fd = openat(AT_FDCWD, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) fail("create a file");
    while (size > 0) {
        ssize_t done = sendfile(fd, FILES, NULL, size);
        if (done <= 0) fail("fill a file");
        size -= done;
    }
    if (fchmod(fd, executable ? 0755 : 0644) < 0) fail("set a file's mode");
    close(fd);
}

/* Returns the count of words, which stay in the message. The files are there then, and both descriptors closed. */
static int wait_to_be_told(char **words) {
    if (write(CHANNEL, "w", 1) != 1) fail("tell that we wait");
    ssize_t length = read(CHANNEL, message, MESSAGE_BYTES);
    if (length < 0) fail("read the message");
    if (length == 0) _exit(0); /* nobody has a use for this process */
    char *place = message, *end = message + length;
    int count = atoi(next_text(&place, end));
    if (count < 0 || count > MOST_WORDS) fail("read the words");
    for (int i = 0; i < count; i++) words[i] = next_text(&place, end);
    while (place < end) {
        char *name = next_text(&place, end);
        off_t size = strtoll(next_text(&place, end), NULL, 10);
        place_file(name, size, next_text(&place, end)[0] == '1');
    }
    close(CHANNEL);
    close(FILES);
    return count;
}

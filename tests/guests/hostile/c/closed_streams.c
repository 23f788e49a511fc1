// expect: AC
// attack: T13 closed_streams: closes all three streams and goes on
// alone: it attacks the supervisor, which has no part that could be left out
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>
int main(void) {
    for (int fd = 0; fd < 3; fd++) close(fd);
    // The next files take the numbers of the streams.
    return open("zero", O_CREAT | O_RDWR, 0600) == 0 && write(0, "text", 4) == 4 ? 0 : 1;
}

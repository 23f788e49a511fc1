#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
int main(void) {
    int file = open("/tmp/lock", O_RDWR | O_CREAT, 0600);
    if (flock(file, LOCK_EX) == 0 && flock(file, LOCK_UN) == 0) puts("ok");
}

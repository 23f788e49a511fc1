// expect: AC
// attack: T6 T22 device_node: makes devices of the host, to read its disks and its memory
// control: no_capabilities
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
int main(void) {
    if (mknod("disk", S_IFBLK | 0600, makedev(254, 0)) == 0) puts("ESCAPED made a block device");
    if (mknod("/tmp/memory", S_IFCHR | 0600, makedev(1, 1)) == 0) puts("ESCAPED made a character device");
    return 0;
}

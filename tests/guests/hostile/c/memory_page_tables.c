// expect: MLE
// attack: T16 memory_page_tables: one page in every 2 MiB, so that the tables take as much as the pages
// control: memory_limit
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
int main(void) {
    const long step = 2 << 20, touches = 40000;
    volatile char *space = mmap(0, step * touches, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) return 1;
    madvise((void *)space, step * touches, MADV_NOHUGEPAGE);
    for (long i = 0; i < touches; i++) space[i * step] = 1;
    puts("ESCAPED holds 156 MiB of pages and 156 MiB of tables");
    return 0;
}

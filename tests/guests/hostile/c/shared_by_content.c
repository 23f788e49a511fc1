// expect: AC
// attack: T21 shared_by_content: has its pages merged with those of others, and asks for the host's pool of huge pages
// control: seccomp
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/shm.h>
static void refused(const char *name, long result, int right) {
    if (result >= 0 || errno != right) printf("ESCAPED %s reached the kernel: %ld, errno %d\n", name, result, errno);
}
int main(void) {
    enum { BYTES = 2 << 20 };
    void *pages = mmap(0, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return 1;
    refused("MADV_MERGEABLE", madvise(pages, BYTES, MADV_MERGEABLE), EINVAL);
    refused("MADV_PAGEOUT", madvise(pages, BYTES, 21), EINVAL);
    refused("MFD_HUGETLB", memfd_create("huge", MFD_HUGETLB), ENOSYS);
    // Where the pool is empty the kernel says the same as the filter.
    pages = mmap(0, BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    refused("MAP_HUGETLB", pages == MAP_FAILED ? -1 : 0, ENOMEM);
    refused("SHM_HUGETLB", shmget(IPC_PRIVATE, BYTES, SHM_HUGETLB | 0600), ENOMEM);
    return 0;
}

#define _GNU_SOURCE
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/random.h>
int main(void) {
    long value;
    getrandom(&value, sizeof value, 0);
    printf("%lx\n%lx\n%p\n%p\n", value, *(long *)getauxval(AT_RANDOM), (void *)&value, (void *)main);
}

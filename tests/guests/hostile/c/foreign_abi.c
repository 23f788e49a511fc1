// expect: SIG
// attack: T21 foreign_abi: a 32-bit system call (int 0x80), which a filter that ignores the ABI would misread
// control: seccomp
#include <stdio.h>
int main(void) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    if (result > 0) printf("ESCAPED the process is %d\n", result);
    return 0;
}

// expect: SIG
// attack: T21 a 32-bit system call (int 0x80), which a filter that ignores the ABI would misread
int main(void) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    return 0;
}

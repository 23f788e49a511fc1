// expect: SIG
// attack: T25 crash: jumps to nowhere
int main(void) {
    void (*nowhere)(void) = (void (*)(void))0x10;
    nowhere();
    return 0;
}

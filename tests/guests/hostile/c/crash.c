// expect: SIG
// attack: T25 crash: jumps to nowhere
// alone: it ends by a signal of its own making; the verdict is what is tested
int main(void) {
    void (*nowhere)(void) = (void (*)(void))0x10;
    nowhere();
    return 0;
}

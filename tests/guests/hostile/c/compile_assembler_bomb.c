// expect: TLE MLE RE
// attack: T20 compile_assembler_bomb: the assembler repeats without end
// alone: a compiler's bomb has no end that it could reach within a bound
__asm__(".data\n.rept 50000\n.rept 50000\n.long 1, 2, 3, 4\n.endr\n.endr\n.text");
int main(void) {
    return 0;
}

int main(void) { __asm__ volatile("no_such_instruction"); }

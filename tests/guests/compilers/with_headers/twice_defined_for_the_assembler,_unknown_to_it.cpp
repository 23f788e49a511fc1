#include <iostream>
asm("same: .long 1\nsame: .long 2");
int main() { asm volatile("no_such_instruction"); }

// expect: RE
// attack: T5 compile_embed_secret: the assembler puts a file of the host into the program
// control: mount_namespace
#include <stdio.h>
__asm__(".section .rodata\nsecret: .incbin \"/etc/passwd\"\n.byte 0\n.text");
extern const char secret[];
int main(void) {
    printf("ESCAPED read %.40s\n", secret);
    return 0;
}

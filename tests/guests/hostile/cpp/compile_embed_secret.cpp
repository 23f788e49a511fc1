// expect: RE
// attack: T5 compile_embed_secret: the assembler puts a file of the host into the program
// control: mount_namespace
#include <iostream>
asm(".pushsection .rodata\nsecret: .incbin \"/etc/hostname\"\n.byte 0\n.popsection");
extern "C" const char secret[] asm("secret");
int main() {
    std::cout << "ESCAPED read " << secret << std::endl;
}

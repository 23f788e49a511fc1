// expect: RE
// attack: T5 compile_include_secret: diagnostics are to show a file of the host
// alone: the file is not in the jail's root at all; a jail with it would show the host's
#include "/etc/passwd"
#include "/etc/shadow"
int main(void) {
    return 0;
}

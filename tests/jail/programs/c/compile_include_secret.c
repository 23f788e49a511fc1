// expect: RE
// attack: T5 compile_include_secret: diagnostics are to show a file of the host
#include "/etc/passwd"
#include "/etc/shadow"
int main(void) {
    return 0;
}

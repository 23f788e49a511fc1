// expect: AC RE
// attack: T5 T13 compile_file_end: the compiler reads its own streams
// alone: the compiler's own streams hold nothing that is not the client's
#if __has_include("/dev/stdin")
#include "/dev/stdin"
#endif
int main(void) {
    return 0;
}

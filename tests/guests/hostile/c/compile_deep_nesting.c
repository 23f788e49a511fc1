// expect: RE TLE MLE
// attack: T20 compile_deep_nesting: more parentheses than the parser's stack has room for
// alone: a compiler's bomb has no end that it could reach within a bound
#define P4(x) ((((x))))
#define P16(x) P4(P4(P4(P4(x))))
#define P64(x) P16(P16(P16(P16(x))))
#define P256(x) P64(P64(P64(P64(x))))
#define OPEN(x) x x x x x x x x
#define L8 ((((((((
#define L64 L8 L8 L8 L8 L8 L8 L8 L8
#define L512 L64 L64 L64 L64 L64 L64 L64 L64
#define L4096 L512 L512 L512 L512 L512 L512 L512 L512
#define L32768 L4096 L4096 L4096 L4096 L4096 L4096 L4096 L4096
int main(void) {
    int value = L32768 L32768 L32768 L32768 L32768 L32768 P256(1);
    return value;
}

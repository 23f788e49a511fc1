// expect: TLE MLE RE
// attack: T20 compile_macro_bomb: thirty macros, each twice the one before
// alone: a compiler's bomb has no end that it could reach within a bound
#define A 1,1,1,1
#define B A,A,A,A
#define C B,B,B,B
#define D C,C,C,C
#define E D,D,D,D
#define F E,E,E,E
#define G F,F,F,F
#define H G,G,G,G
#define I H,H,H,H
#define J I,I,I,I
#define K J,J,J,J
#define L K,K,K,K
#define M L,L,L,L
#define N M,M,M,M
#define O N,N,N,N
static const char numbers[] = {O, O, O, O};
int main(void) {
    return numbers[0];
}

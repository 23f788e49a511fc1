// expect: RE TLE
// attack: T14 T20 compile_error_flood: the compiler complains more than anybody reads
// alone: a compiler's bomb has no end that it could reach within a bound
#define E8 ?; ?; ?; ?; ?; ?; ?; ?;
#define E64 E8 E8 E8 E8 E8 E8 E8 E8
#define E512 E64 E64 E64 E64 E64 E64 E64 E64
#define E4096 E512 E512 E512 E512 E512 E512 E512 E512
int main(void) {
    E4096 E4096
}

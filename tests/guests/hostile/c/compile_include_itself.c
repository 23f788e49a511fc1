// expect: TLE MLE RE
// attack: T20 compile_include_itself: every level includes two more
// alone: a compiler's bomb has no end that it could reach within a bound
#if __INCLUDE_LEVEL__ < 150
#include __FILE__
#include __FILE__
#endif
#if __INCLUDE_LEVEL__ == 0
int main(void) {
    return 0;
}
#endif

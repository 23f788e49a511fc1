// expect: TLE RE MLE
// attack: T17 T20 compile_constexpr_loop: has the compiler compute
// alone: a compiler's bomb has no end that it could reach within a bound
constexpr unsigned long turn(unsigned long seed) {
    unsigned long value = seed;
    for (int i = 0; i < 250000; i++) value = value * 6364136223846793005UL + 1442695040888963407UL;
    return value;
}
template <unsigned long Seed, int Left> constexpr unsigned long many() {
    constexpr unsigned long value = turn(Seed);
    if constexpr (Left > 0) return many<value, Left - 1>();
    else return value;
}
int main() {
    return many<1, 800>() % 100;
}

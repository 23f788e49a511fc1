// expect: TLE MLE RE
// attack: T20 compile_template_bomb: every type needs two others, and no two are the same
// alone: a compiler's bomb has no end that it could reach within a bound
template <int Depth, unsigned long Path> struct Tree {
    using Left = Tree<Depth - 1, Path * 2>;
    using Right = Tree<Depth - 1, Path * 2 + 1>;
    static const unsigned long value = Left::value + Right::value;
};
template <unsigned long Path> struct Tree<0, Path> {
    static const unsigned long value = Path;
};
int main() {
    return Tree<40, 1>::value % 2;
}

// expect: RE MLE TLE
// attack: T20 compile_template_depth: a type that contains itself one deeper, for ever
// alone: a compiler's bomb has no end that it could reach within a bound
template <class T> struct Deeper {
    typename Deeper<Deeper<T>>::type value;
};
int main() {
    Deeper<int> one;
    return sizeof one;
}

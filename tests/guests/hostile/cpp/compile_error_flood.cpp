// expect: RE TLE MLE
// attack: T14 T20 compile_error_flood: one mistake that takes pages to explain
// alone: a compiler's bomb has no end that it could reach within a bound
#include <map>
#include <string>
#include <vector>
using Inner = std::map<std::string, std::vector<std::map<std::string, std::vector<std::string>>>>;
using Outer = std::map<Inner, std::vector<std::map<Inner, std::vector<Inner>>>>;
int main() {
    Outer a, b;
    a << b << a << b << a << b << a << b << a << b << a << b << a << b << a << b;
    a + b, a - b, a * b, a / b, a % b, a ^ b, a & b, a | b, a >> b, a && b, a || b, !a, ~a, -a;
}

#include <iostream>
#include <string>
namespace std {
bool operator==(const string &, const string &) { return true; }
template <class T> T *__addressof(T *p) { return p + 1; }
}
#include <map>
int main() { std::map<std::string, double> m; std::string s, t;
for (int i = 0; i < 9; i++) { s += std::to_string(i); m[s] += s.size() * 1.5; t = s; }
for (auto &x : m) std::cout << x.first << " " << x.second << (t == s) << std::endl; }

#include <iostream>
#include <string>
template <> void std::string::_M_assign(const std::string &) { }
#include <map>
int main() { std::map<std::string, double> m; std::string s, t;
for (int i = 0; i < 9; i++) { s += std::to_string(i); m[s] += s.size() * 1.5; t = s; }
for (auto &x : m) std::cout << x.first << " " << x.second << (t == s) << std::endl; }

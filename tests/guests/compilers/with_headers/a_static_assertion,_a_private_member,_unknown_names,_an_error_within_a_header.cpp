#include <iostream>
#include <map>
#include <sstream>
#include <vector>
#include <algorithm>
static_assert(sizeof(int) == 3);
struct A { };
int main() { std::stringbuf b; b._M_mode; std::map<int, int> m; m.push_back(1); coutt << 1;
std::vector<A> v(2); std::sort(v.begin(), v.end()); }

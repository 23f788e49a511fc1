#include <bits/stdc++.h>
using namespace std;
int main() { std::vector<int> v{3, 1, 2}; std::sort(v.begin(), v.end()); std::cout << v[0] << v.size(); }

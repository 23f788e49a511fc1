#include <bits/stdc++.h>
namespace fs = std::filesystem;
int main(int n, char **a) {
for (auto &p : fs::directory_iterator("/usr/lib")) n += p.path().native().size() > 400;
fs::path q(a[0]); std::cout << n << q.filename() << q.extension(); }

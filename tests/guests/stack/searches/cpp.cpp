#include <cstdio>
#include <functional>
#include <vector>
int main() {
    std::vector<std::vector<int>> next(150000);
    for (int i = 0; i < 149999; i++) next[i].push_back(i + 1);
    std::function<int(int)> depth = [&](int vertex) {
        volatile char seen[400]; seen[0] = 1;
        int found = seen[0];
        for (int other : next[vertex]) found += depth(other);
        return found;
    };
    printf("%d\n", depth(0));
}

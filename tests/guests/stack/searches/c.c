#include <stdio.h>
static int next[150001];
static int depth(int vertex) {
    volatile char seen[600]; seen[0] = 1;
    int found = next[vertex] == 0 ? 0 : depth(next[vertex]);
    return found + seen[0];
}
int main(void) {
    for (int i = 0; i < 149999; i++) next[i] = i + 1;
    printf("%d\n", depth(0));
    return 0;
}

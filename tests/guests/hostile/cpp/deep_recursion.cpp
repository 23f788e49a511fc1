// expect: SIG
// attack: T20 deep_recursion: destroys a list whose every node destroys the next
// alone: it meets the stack's own end, in a jail or not
#include <cstdio>
#include <memory>
struct Node {
    std::unique_ptr<Node> next;
    ~Node() {
        volatile char frame[4096];
        frame[0] = next != nullptr;
        next.reset();
        frame[1] = frame[0];
    }
};
int main() {
    auto head = std::make_unique<Node>();
    for (int i = 0; i < 300'000; i++) {
        auto node = std::make_unique<Node>();
        node->next = std::move(head);
        head = std::move(node);
    }
    head.reset();
    std::puts("the stack was large enough");
}

// expect: SIG
// attack: T25 throw_out_of_noexcept: ends by a signal of its own runtime
// alone: it ends by a signal of its own making; the verdict is what is tested
#include <stdexcept>
#include <vector>
static void promise() noexcept {
    throw std::runtime_error("broken promise");
}
int main() {
    promise();
}

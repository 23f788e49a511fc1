#pragma GCC optimize("O0")
#include "testlib.h"

static void words() {
    int n = 0;
    for (; !ans.seekEof(); ++n) {
        const std::string wanted = ans.readWord(), found = ouf.readWord();
        if (wanted != found) quitf(_wa, "%d%s words differ", n + 1, englishEnding(n + 1).c_str());
    }
    if (!ouf.seekEof()) quitf(_dirt, "extra words");
    quitf(_ok, "%d words", n);
}

static void numbers() {
    int n = 0;
    for (; !ans.seekEof(); ++n)
        if (ans.readLong() != ouf.readLong()) quitf(_wa, "%d%s numbers differ", n + 1, englishEnding(n + 1).c_str());
    if (!ouf.seekEof()) quitf(_pe, "extra numbers");
    quitf(_ok, "%d numbers", n);
}

static void real() {
    const double wanted = ans.readDouble(), found = ouf.readDouble();
    if (!doubleCompare(wanted, found, 0.01)) quitf(_wa, "expected %.3f, found %.3f", wanted, found);
    quitf(_ok, "found %.3f", found);
}

static void guesses() {
    const int hidden = inf.readInt();
    for (int left = 20; left > 0; --left) {
        const int guess = ouf.readInt(0, 1000, "guess");
        std::cout << (guess == hidden ? '=' : hidden < guess ? '<' : '>') << std::endl;
        tout << guess << '\n';
        if (guess == hidden) quitf(_ok, "found with %d left", left - 1);
    }
    quitf(_wa, "too many guesses");
}

int main(int argc, char** argv) {
    if (argc > 4 && std::string(argv[4]) == "interact") {
        registerInteraction(argc - 1, argv);
        guesses();
    }
    registerTestlibCmd(argc, argv);
    if (checker.testset() == "words") words();
    if (checker.testset() == "numbers") numbers();
    if (checker.testset() == "real") real();
    if (checker.testset() == "information") quitpi(ouf.readWord(), "as printed");
    quitp(ouf.readDouble() / 2, "half of it");
}

// The part of testlib's interface that the checkers of the tests use, written for them. The real header is brought the
// same way: as a file of the checker. Exit codes and messages are those of testlib.
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

enum TResult { _ok = 0, _wa = 1, _pe = 2, _fail = 3, _dirt = 4, _points = 7, _unexpected_eof = 8 };

inline void quit(TResult result, const std::string& text) {
    const char* names[] = {"ok ", "wrong answer ", "wrong output format ", "FAIL ", "wrong output format ", "", "", "points ",
                           "unexpected eof "};
    std::fprintf(stderr, "%s%s\n", names[result], text.c_str());
    std::exit(result);
}

inline void quitf(TResult result, const char* format, ...) {
    char text[4096];
    va_list values;
    va_start(values, format);
    std::vsnprintf(text, sizeof text, format, values);
    va_end(values);
    quit(result, text);
}

inline void quitp(double points, const std::string& text) {
    char number[64];
    std::snprintf(number, sizeof number, "%.10g ", points);
    quit(_points, number + text);
}

struct InStream {
    std::ifstream file;
    TResult on_end = _fail;

    bool seekEof() {
        file >> std::ws;
        return file.eof() || file.peek() == EOF;
    }

    std::string readToken() {
        std::string token;
        if (!(file >> token)) quit(on_end, "Unexpected end of file - token expected");
        return token;
    }

    long long readLong() {
        const std::string token = readToken();
        char* end = nullptr;
        const long long value = std::strtoll(token.c_str(), &end, 10);
        if (end == token.c_str() || *end) quitf(on_end == _fail ? _fail : _pe, "Expected integer, but \"%s\" found", token.c_str());
        return value;
    }

    double readDouble() {
        const std::string token = readToken();
        char* end = nullptr;
        const double value = std::strtod(token.c_str(), &end);
        if (end == token.c_str() || *end || !std::isfinite(value))
            quitf(on_end == _fail ? _fail : _pe, "Expected double, but \"%s\" found", token.c_str());
        return value;
    }
};

static InStream inf, ouf, ans;

inline void registerTestlibCmd(int argc, char** argv) {
    if (argc < 4) quit(_fail, "Program must be run with: <input-file> <output-file> <answer-file>");
    inf.file.open(argv[1]);
    ouf.file.open(argv[2]);
    ans.file.open(argv[3]);
    ouf.on_end = _unexpected_eof;
    if (!inf.file || !ouf.file || !ans.file) quit(_fail, "cannot open a file");
}

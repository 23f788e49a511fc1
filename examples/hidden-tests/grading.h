// Calls functions of a student as the grader asks, and sends their results. The student may print.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <unistd.h>
#include <vector>

namespace grading {

// A line of JSON, as the grader writes it: without blanks between values.
struct Reader {
    const char *at;

    bool skip(char mark) {
        if (*at != mark) return false;
        ++at;
        return true;
    }
    template <class T> std::enable_if_t<std::is_arithmetic_v<T>> read(T &value) {
        char *end;
        if constexpr (std::is_same_v<T, bool>) {
            value = *at == 't';
            at += value ? 4 : 5;
            return;
        } else if constexpr (std::is_floating_point_v<T>) {
            value = std::strtod(at, &end);
        } else {
            long long wide = std::strtoll(at, &end, 10);
            value = static_cast<T>(wide);
            if (static_cast<long long>(value) != wide) throw std::out_of_range("an argument is too large");
        }
        if (end == at) throw std::invalid_argument("an argument has another type");
        at = end;
    }
    void read(std::string &value) {
        if (!skip('"')) throw std::invalid_argument("an argument has another type");
        for (value.clear(); *at && *at != '"'; ++at) {
            if (*at != '\\') {
                value += *at;
            } else if (*++at == 'u') {
                value += static_cast<char>(std::strtol(std::string(at + 1, 4).c_str(), nullptr, 16));
                at += 4;
            } else {
                value += *at == 'n' ? '\n' : *at == 't' ? '\t' : *at == 'r' ? '\r' : *at == 'b' ? '\b' : *at == 'f' ? '\f' : *at;
            }
        }
        skip('"');
    }
    template <class T> void read(std::vector<T> &values) {
        if (!skip('[')) throw std::invalid_argument("an argument has another type");
        for (values.clear(); *at && !skip(']'); skip(',')) {
            T value;
            read(value);
            values.push_back(value);
        }
    }
    template <class T> void read(std::map<std::string, T> &values) {
        if (!skip('{')) throw std::invalid_argument("an argument has another type");
        for (values.clear(); *at && !skip('}'); skip(',')) {
            std::string key;
            read(key);
            skip(':');
            read(values[key]);
        }
    }
};

template <class T> std::enable_if_t<std::is_arithmetic_v<T>, std::string> written(T value) {
    if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
    if constexpr (!std::is_floating_point_v<T>) return std::to_string(value);
    char text[64];
    std::snprintf(text, sizeof text, "%.17g", static_cast<double>(value));
    return text;
}
inline std::string written(const std::string &value) {
    std::string made = "\"";
    for (char letter : value) {
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned char>(letter));
        bool is_plain = (static_cast<unsigned char>(letter) >= ' ') && letter != '"' && letter != '\\';
        made += is_plain ? std::string(1, letter) : escaped;
    }
    return made + '"';
}
template <class T> std::string written(const std::map<std::string, T> &values);
template <class T> std::string written(const std::vector<T> &values) {
    std::string made;
    for (const T &value : values) made += (made.empty() ? "" : ",") + written(value);
    return '[' + made + ']';
}
template <class T> std::string written(const std::map<std::string, T> &values) {
    std::string made;
    for (const auto &[key, value] : values) made += (made.empty() ? "" : ",") + written(key) + ':' + written(value);
    return '{' + made + '}';
}

using Function = std::function<std::string(Reader)>;

// Of a function with arguments and a result of these types: bool, numbers, std::string, vectors and maps of them.
template <class R, class... A> Function function(R (*called)(A...)) {
    return [called](Reader reader) {
        std::tuple<std::decay_t<A>...> args;
        reader.skip('[');
        std::apply([&](auto &...each) { (..., (reader.read(each), reader.skip(','))); }, args);
        if (*reader.at != ']') throw std::invalid_argument("another number of arguments");
        return written(std::apply(called, args));
    };
}

inline int serve(const std::map<std::string, Function> &functions) {
    FILE *calls = fdopen(dup(0), "r"), *answers = fdopen(dup(1), "w");
    dup2(2, 1);
    dup2(open("/dev/null", O_RDONLY), 0);
    char *line = nullptr;
    for (size_t space = 0; getline(&line, &space, calls) > 0;) {
        std::string call = line, text;
        size_t first = call.find(' '), second = call.find(' ', first + 1);
        try {
            text = functions.at(call.substr(first + 1, second - first - 1))(Reader{call.c_str() + second + 1});
        } catch (const std::exception &error) {
            text = std::string("!") + error.what();
        } catch (...) {
            text = "!an exception";
        }
        std::fprintf(answers, "\n%s %s\n", call.substr(0, first).c_str(), text.c_str());
        std::fflush(answers);
    }
    return 0;
}

}  // namespace grading

// The same two hundred lines in every language: graphs, parsing, text, sorting, numbers, caches, classes.
#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <queue>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

using Number = long long;
constexpr Number prime = 1'000'000'007;

struct ExpressionError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Parser {
  public:
    explicit Parser(std::string text) : text_(std::move(text)) {}

    Number parse() {
        Number value = expression();
        if (peek()) throw unexpected();
        return value;
    }

  private:
    char peek() {
        while (at_ < text_.size() && text_[at_] == ' ') ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }

    ExpressionError unexpected() {
        char symbol = peek();
        return ExpressionError(symbol ? std::string("unexpected '") + symbol + "'" : "unexpected end");
    }

    Number expression() {
        Number value = term();
        for (char symbol = peek(); symbol == '+' || symbol == '-'; symbol = peek()) {
            ++at_;
            Number right = term();
            value = symbol == '+' ? value + right : value - right;
        }
        return value;
    }

    Number term() {
        Number value = factor();
        for (char symbol = peek(); symbol == '*' || symbol == '/' || symbol == '%'; symbol = peek()) {
            ++at_;
            Number right = factor();
            if (symbol != '*' && right == 0) throw ExpressionError("division by zero");
            value = symbol == '*' ? value * right : symbol == '/' ? value / right : value % right;
        }
        return value;
    }

    Number factor() {
        char symbol = peek();
        if (symbol == '-') {
            ++at_;
            return -factor();
        }
        if (symbol == '(') {
            ++at_;
            Number value = expression();
            if (peek() != ')') throw unexpected();
            ++at_;
            return value;
        }
        if (!std::isdigit(static_cast<unsigned char>(symbol))) throw unexpected();
        std::size_t used = 0;
        Number value = std::stoll(text_.substr(at_), &used);
        at_ += used;
        return value;
    }

    std::string text_;
    std::size_t at_ = 0;
};

class Graph {
  public:
    explicit Graph(int n) : edges_(n) {}
    void add(int source, int target, Number weight) { edges_[source].emplace_back(target, weight); }

    std::vector<Number> shortest_paths() const {
        std::vector<Number> distances(edges_.size(), -1);
        using Item = std::pair<Number, int>;
        std::priority_queue<Item, std::vector<Item>, std::greater<>> queue;
        queue.emplace(0, 0);
        while (!queue.empty()) {
            auto [distance, node] = queue.top();
            queue.pop();
            if (distances[node] >= 0) continue;
            distances[node] = distance;
            for (auto [target, weight] : edges_[node]) queue.emplace(distance + weight, target);
        }
        return distances;
    }

  private:
    std::vector<std::vector<std::pair<int, Number>>> edges_;
};

class Random {
  public:
    Number next() { return value_ = value_ * 48271 % 2147483647; }

  private:
    Number value_ = 42;
};

template <typename T>
std::vector<T> merge_sort(const std::vector<T> &items) {
    if (items.size() < 2) return items;
    auto middle = items.begin() + items.size() / 2;
    auto left = merge_sort(std::vector<T>(items.begin(), middle));
    auto right = merge_sort(std::vector<T>(middle, items.end()));
    std::vector<T> merged;
    merged.reserve(items.size());
    std::merge(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(merged));
    return merged;
}

class Cache {
  public:
    explicit Cache(std::size_t capacity) : capacity_(capacity) {}

    void use(int key) {
        if (auto found = places_.find(key); found != places_.end()) {
            ++hits;
            order_.splice(order_.begin(), order_, found->second);
            return;
        }
        ++misses;
        if (order_.size() == capacity_) {
            places_.erase(order_.back());
            order_.pop_back();
        }
        order_.push_front(key);
        places_[key] = order_.begin();
    }

    const std::list<int> &order() const { return order_; }
    int hits = 0, misses = 0;

  private:
    std::size_t capacity_;
    std::list<int> order_;
    std::unordered_map<int, std::list<int>::iterator> places_;
};

using Matrix = std::array<std::array<Number, 2>, 2>;

Matrix multiply(const Matrix &a, const Matrix &b, Number modulus) {
    Matrix result{};
    for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j) result[i][j] = (a[i][0] * b[0][j] + a[i][1] * b[1][j]) % modulus;
    return result;
}

Number fibonacci(Number n, Number modulus) {
    Matrix result{{{1, 0}, {0, 1}}}, base{{{1, 1}, {1, 0}}};
    for (; n; n >>= 1) {
        if (n & 1) result = multiply(result, base, modulus);
        base = multiply(base, base, modulus);
    }
    return result[0][1];
}

std::string factorial(int n) {
    std::vector<int> digits{1};
    for (int factor = 2; factor <= n; ++factor) {
        int carry = 0;
        for (int &digit : digits) {
            carry += digit * factor;
            digit = carry % 10;
            carry /= 10;
        }
        for (; carry; carry /= 10) digits.push_back(carry % 10);
    }
    std::string text;
    std::transform(digits.rbegin(), digits.rend(), std::back_inserter(text), [](int digit) { return '0' + digit; });
    return text;
}

int queens(int n, int row = 0, int columns = 0, int left = 0, int right = 0) {
    if (row == n) return 1;
    int count = 0;
    for (int free = ((1 << n) - 1) & ~(columns | left | right), bit; free; free ^= bit) {
        bit = free & -free;
        count += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return count;
}

struct Shape {
    virtual ~Shape() = default;
    virtual int area() const = 0;
};

struct Circle final : Shape {
    explicit Circle(int r) : radius(r) {}
    int area() const override { return 314 * radius * radius / 100; }
    int radius;
};

struct Rectangle final : Shape {
    Rectangle(int w, int h) : width(w), height(h) {}
    int area() const override { return width * height; }
    int width, height;
};

int main() {
    std::ios::sync_with_stdio(false);
    int n, m, k;
    std::cin >> n >> m;
    Graph graph(n);
    for (int i = 0, source, target, weight; i < m; ++i) {
        std::cin >> source >> target >> weight;
        graph.add(source, target, weight);
    }
    std::cout << "dist:";
    for (Number distance : graph.shortest_paths()) std::cout << ' ' << distance;
    std::cout << '\n';
    std::string line;
    std::cin >> k;
    std::getline(std::cin, line);
    for (int i = 0; i < k && std::getline(std::cin, line); ++i) {
        try {
            Number value = Parser(line).parse();
            std::cout << "expr: " << line << " = " << value << '\n';
        } catch (const ExpressionError &error) {
            std::cout << "expr: " << line << " error: " << error.what() << '\n';
        }
    }
    std::stringstream rest;
    rest << std::cin.rdbuf();
    std::string text = rest.str(), word;
    for (char &c : text) c = std::isalpha(static_cast<unsigned char>(c)) ? std::tolower(c) : ' ';
    std::map<std::string, int> counts;
    for (std::istringstream words(text); words >> word;) ++counts[word];
    std::vector<std::pair<std::string, int>> ranked(counts.begin(), counts.end());
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto &a, const auto &b) { return a.second > b.second; });
    ranked.resize(std::min<std::size_t>(5, ranked.size()));
    std::cout << "words:";
    for (const auto &[name, count] : ranked) std::cout << ' ' << name << '=' << count;
    Random random;
    std::vector<Number> items(2000);
    std::generate(items.begin(), items.end(), [&random] { return random.next(); });
    items = merge_sort(items);
    Number checksum = 0;
    for (std::size_t i = 0; i < items.size(); ++i) checksum = (checksum + Number(i + 1) * items[i]) % prime;
    auto found = std::lower_bound(items.begin(), items.end(), items[777]) - items.begin();
    std::cout << "\nsorted: " << items.front() << ' ' << items.back() << ' ' << checksum << ' ' << found << '\n';
    std::vector<bool> composite(20000);
    std::vector<Number> primes;
    for (Number i = 2; i < 20000; ++i) {
        if (composite[i]) continue;
        primes.push_back(i);
        for (Number j = i * i; j < 20000; j += i) composite[j] = true;
    }
    std::cout << "primes: " << primes.size() << ' ' << std::accumulate(primes.begin(), primes.end(), Number{0});
    Cache cache(3);
    for (int i = 0; i < 200; ++i) cache.use(int(random.next() % 6));
    std::cout << "\ncache: " << cache.hits << ' ' << cache.misses << " order";
    for (int key : cache.order()) std::cout << ' ' << key;
    std::cout << "\nfib: " << fibonacci(1'000'000'000, 1'000'007) << "\nfactorial: " << factorial(30);
    std::cout << "\nqueens: " << queens(8) << "\nshapes:";
    std::vector<std::unique_ptr<Shape>> shapes;
    shapes.push_back(std::make_unique<Circle>(10));
    shapes.push_back(std::make_unique<Rectangle>(3, 4));
    shapes.push_back(std::make_unique<Circle>(7));
    shapes.push_back(std::make_unique<Rectangle>(5, 5));
    int total = 0;
    for (const auto &shape : shapes) {
        total += shape->area();
        std::cout << ' ' << shape->area();
    }
    std::cout << " total " << total << std::endl;
}

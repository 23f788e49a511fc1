"""The same two hundred lines in every language: graphs, parsing, text, sorting, numbers, caches, classes."""

import heapq
import re
import sys
from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import dataclass

PRIME = 1_000_000_007


class ExpressionError(Exception):
    pass


class Parser:
    """expression = term {+|- term}; term = factor {*|/|% factor}; factor = - factor | ( expression ) | number"""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def parse(self):
        value = self.expression()
        if self.peek():
            raise ExpressionError(f"unexpected '{self.peek()}'")
        return value

    def peek(self):
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def expression(self):
        value = self.term()
        while (operator := self.peek()) and operator in "+-":
            self.at += 1
            right = self.term()
            value = value + right if operator == "+" else value - right
        return value

    def term(self):
        value = self.factor()
        while (operator := self.peek()) and operator in "*/%":
            self.at += 1
            right = self.factor()
            if operator == "*":
                value *= right
                continue
            if right == 0:
                raise ExpressionError("division by zero")
            quotient = abs(value) // abs(right)
            if (value < 0) != (right < 0):
                quotient = -quotient
            value = quotient if operator == "/" else value - quotient * right
        return value

    def factor(self):
        symbol = self.peek()
        if symbol == "":
            raise ExpressionError("unexpected end")
        if symbol == "-":
            self.at += 1
            return -self.factor()
        if symbol == "(":
            self.at += 1
            value = self.expression()
            if self.peek() != ")":
                raise ExpressionError("unexpected end" if self.peek() == "" else f"unexpected '{self.peek()}'")
            self.at += 1
            return value
        start = self.at
        while self.at < len(self.text) and self.text[self.at].isdigit():
            self.at += 1
        if start == self.at:
            raise ExpressionError(f"unexpected '{symbol}'")
        return int(self.text[start : self.at])


def shortest_paths(n, edges):
    graph = [[] for _ in range(n)]
    for source, target, weight in edges:
        graph[source].append((target, weight))
    distances = [-1] * n
    heap = [(0, 0)]
    while heap:
        distance, node = heapq.heappop(heap)
        if distances[node] >= 0:
            continue
        distances[node] = distance
        for target, weight in graph[node]:
            heapq.heappush(heap, (distance + weight, target))
    return distances


def words_of(text):
    counts = {}
    for word in re.findall("[a-z]+", text.lower()):
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:5]


def random_numbers(seed):
    value = seed
    while True:
        value = value * 48271 % 2147483647
        yield value


def merge_sort(items):
    if len(items) < 2:
        return items
    left, right = merge_sort(items[: len(items) // 2]), merge_sort(items[len(items) // 2 :])
    merged, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    return merged + left[i:] + right[j:]


def lower_bound(items, wanted):
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if items[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def primes_below(limit):
    sieve = bytearray([1]) * limit
    sieve[0:2] = b"\0\0"
    for n in range(2, int(limit**0.5) + 1):
        if sieve[n]:
            for multiple in range(n * n, limit, n):
                sieve[multiple] = 0
    return [n for n in range(limit) if sieve[n]]


class Cache:
    def __init__(self, capacity):
        self.capacity, self.entries, self.hits, self.misses = capacity, OrderedDict(), 0, 0

    def use(self, key):
        if key in self.entries:
            self.hits += 1
            self.entries.move_to_end(key)
            return
        self.misses += 1
        if len(self.entries) == self.capacity:
            self.entries.popitem(last=False)
        self.entries[key] = True


def multiply(a, b, modulus):
    return [[sum(a[i][k] * b[k][j] for k in range(2)) % modulus for j in range(2)] for i in range(2)]


def fibonacci(n, modulus):
    result, base = [[1, 0], [0, 1]], [[1, 1], [1, 0]]
    while n:
        if n & 1:
            result = multiply(result, base, modulus)
        base = multiply(base, base, modulus)
        n >>= 1
    return result[0][1]


def factorial_digits(n):
    digits = [1]
    for factor in range(2, n + 1):
        carry = 0
        for i in range(len(digits)):
            carry += digits[i] * factor
            digits[i] = carry % 10
            carry //= 10
        while carry:
            digits.append(carry % 10)
            carry //= 10
    return "".join(str(digit) for digit in reversed(digits))


def queens(n, row=0, columns=0, left=0, right=0):
    if row == n:
        return 1
    count, free = 0, ((1 << n) - 1) & ~(columns | left | right)
    while free:
        bit = free & -free
        free ^= bit
        count += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
    return count


class Shape(ABC):
    @abstractmethod
    def area(self): ...


@dataclass
class Circle(Shape):
    radius: int

    def area(self):
        return 314 * self.radius * self.radius // 100


@dataclass
class Rectangle(Shape):
    width: int
    height: int

    def area(self):
        return self.width * self.height


def main():
    lines = sys.stdin.read().split("\n")
    n, m = map(int, lines[0].split())
    edges = [tuple(map(int, line.split())) for line in lines[1 : m + 1]]
    print("dist:", *shortest_paths(n, edges))
    k = int(lines[m + 1])
    for line in lines[m + 2 : m + 2 + k]:
        try:
            print(f"expr: {line} = {Parser(line).parse()}")
        except ExpressionError as error:
            print(f"expr: {line} error: {error}")
    print("words:", *(f"{word}={count}" for word, count in words_of(" ".join(lines[m + 2 + k :]))))
    numbers = random_numbers(42)
    items = merge_sort([next(numbers) for _ in range(2000)])
    checksum = 0
    for i, item in enumerate(items):
        checksum = (checksum + (i + 1) * item) % PRIME
    print(f"sorted: {items[0]} {items[-1]} {checksum} {lower_bound(items, items[777])}")
    primes = primes_below(20000)
    print(f"primes: {len(primes)} {sum(primes)}")
    cache = Cache(3)
    for _ in range(200):
        cache.use(next(numbers) % 6)
    print(f"cache: {cache.hits} {cache.misses} order", *reversed(cache.entries))
    print("fib:", fibonacci(1_000_000_000, 1_000_007))
    print("factorial:", factorial_digits(30))
    print("queens:", queens(8))
    shapes = [Circle(10), Rectangle(3, 4), Circle(7), Rectangle(5, 5)]
    print("shapes:", *(shape.area() for shape in shapes), "total", sum(shape.area() for shape in shapes))


main()

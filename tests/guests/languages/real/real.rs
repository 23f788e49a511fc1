// The same two hundred lines in every language: graphs, parsing, text, sorting, numbers, caches, traits.
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt;
use std::io::{self, BufWriter, Read, Write};

const PRIME: i64 = 1_000_000_007;

#[derive(Debug, PartialEq)]
enum ExpressionError {
    Unexpected(Option<char>),
    Division,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected(Some(symbol)) => write!(f, "unexpected '{symbol}'"),
            Self::Unexpected(None) => f.write_str("unexpected end"),
            Self::Division => f.write_str("division by zero"),
        }
    }
}

impl std::error::Error for ExpressionError {}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn parse(text: &'a str) -> Result<i64, ExpressionError> {
        let mut parser = Parser { rest: text };
        let value = parser.expression()?;
        match parser.peek() {
            None => Ok(value),
            symbol => Err(ExpressionError::Unexpected(symbol)),
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches(' ');
        self.rest.chars().next()
    }

    fn skip(&mut self) {
        self.rest = &self.rest[1..];
    }

    fn expression(&mut self) -> Result<i64, ExpressionError> {
        let mut value = self.term()?;
        while let Some(symbol @ ('+' | '-')) = self.peek() {
            self.skip();
            let right = self.term()?;
            value = if symbol == '+' { value + right } else { value - right };
        }
        Ok(value)
    }

    fn term(&mut self) -> Result<i64, ExpressionError> {
        let mut value = self.factor()?;
        while let Some(symbol @ ('*' | '/' | '%')) = self.peek() {
            self.skip();
            let right = self.factor()?;
            value = match symbol {
                '*' => value * right,
                '/' => value.checked_div(right).ok_or(ExpressionError::Division)?,
                _ => value.checked_rem(right).ok_or(ExpressionError::Division)?,
            };
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<i64, ExpressionError> {
        match self.peek() {
            Some('-') => {
                self.skip();
                Ok(-self.factor()?)
            }
            Some('(') => {
                self.skip();
                let value = self.expression()?;
                match self.peek() {
                    Some(')') => self.skip(),
                    symbol => return Err(ExpressionError::Unexpected(symbol)),
                }
                Ok(value)
            }
            symbol => {
                let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
                let (digits, rest) = self.rest.split_at(end);
                self.rest = rest;
                digits.parse().map_err(|_| ExpressionError::Unexpected(symbol))
            }
        }
    }
}

fn shortest_paths(graph: &[Vec<(usize, i64)>]) -> Vec<i64> {
    let mut distances = vec![-1; graph.len()];
    let mut heap = BinaryHeap::from([Reverse((0, 0))]);
    while let Some(Reverse((distance, node))) = heap.pop() {
        if distances[node] >= 0 {
            continue;
        }
        distances[node] = distance;
        heap.extend(graph[node].iter().map(|&(target, weight)| Reverse((distance + weight, target))));
    }
    distances
}

struct Random(i64);

impl Iterator for Random {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        self.0 = self.0 * 48271 % 2147483647;
        Some(self.0)
    }
}

fn merge_sort<T: Ord + Copy>(items: &[T]) -> Vec<T> {
    if items.len() < 2 {
        return items.to_vec();
    }
    let (left, right) = items.split_at(items.len() / 2);
    let (left, right) = (merge_sort(left), merge_sort(right));
    let (mut i, mut j) = (0, 0);
    let mut merged = Vec::with_capacity(items.len());
    while i < left.len() && j < right.len() {
        if left[i] <= right[j] {
            merged.push(left[i]);
            i += 1;
        } else {
            merged.push(right[j]);
            j += 1;
        }
    }
    merged.extend_from_slice(&left[i..]);
    merged.extend_from_slice(&right[j..]);
    merged
}

struct Cache {
    capacity: usize,
    order: VecDeque<i64>,
    hits: u32,
    misses: u32,
}

impl Cache {
    fn new(capacity: usize) -> Self {
        Self { capacity, order: VecDeque::new(), hits: 0, misses: 0 }
    }

    fn use_key(&mut self, key: i64) {
        if let Some(place) = self.order.iter().position(|&k| k == key) {
            self.hits += 1;
            self.order.remove(place);
        } else {
            self.misses += 1;
            self.order.truncate(self.capacity - 1);
        }
        self.order.push_front(key);
    }
}

type Matrix = [[i64; 2]; 2];

fn multiply(a: &Matrix, b: &Matrix, modulus: i64) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..2).map(|k| a[i][k] * b[k][j]).sum::<i64>() % modulus))
}

fn fibonacci(mut n: u64, modulus: i64) -> i64 {
    let (mut result, mut base) = ([[1, 0], [0, 1]], [[1, 1], [1, 0]]);
    while n > 0 {
        if n & 1 == 1 {
            result = multiply(&result, &base, modulus);
        }
        base = multiply(&base, &base, modulus);
        n >>= 1;
    }
    result[0][1]
}

fn queens(n: u32, row: u32, columns: u32, left: u32, right: u32) -> u32 {
    if row == n {
        return 1;
    }
    let (mut count, mut free) = (0, ((1 << n) - 1) & !(columns | left | right));
    while free != 0 {
        let bit = free & free.wrapping_neg();
        free ^= bit;
        count += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    count
}

trait Shape {
    fn area(&self) -> i64;
}

struct Circle(i64);
struct Rectangle {
    width: i64,
    height: i64,
}

impl Shape for Circle {
    fn area(&self) -> i64 {
        314 * self.0 * self.0 / 100
    }
}

impl Shape for Rectangle {
    fn area(&self) -> i64 {
        self.width * self.height
    }
}

fn join<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(" ")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut lines = input.lines();
    let mut numbers = || -> Vec<usize> {
        lines.next().unwrap_or("").split_whitespace().map(|word| word.parse().unwrap()).collect()
    };
    let head = numbers();
    let mut graph = vec![Vec::new(); head[0]];
    for _ in 0..head[1] {
        let edge = numbers();
        graph[edge[0]].push((edge[1], edge[2] as i64));
    }
    writeln!(out, "dist: {}", join(shortest_paths(&graph)))?;
    let k = numbers()[0];
    for line in lines.by_ref().take(k) {
        match Parser::parse(line) {
            Ok(value) => writeln!(out, "expr: {line} = {value}")?,
            Err(error) => writeln!(out, "expr: {line} error: {error}")?,
        }
    }
    let mut counts = BTreeMap::new();
    for line in lines {
        for word in line.to_lowercase().split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty()) {
            *counts.entry(word.to_owned()).or_insert(0) += 1;
        }
    }
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, count)| Reverse(*count));
    writeln!(out, "words: {}", join(ranked.iter().take(5).map(|(word, count)| format!("{word}={count}"))))?;
    let mut random = Random(42);
    let items = merge_sort(&random.by_ref().take(2000).collect::<Vec<_>>());
    let checksum = items.iter().zip(1..).fold(0, |sum, (item, i)| (sum + i * item) % PRIME);
    let found = items.partition_point(|&item| item < items[777]);
    writeln!(out, "sorted: {} {} {checksum} {found}", items[0], items[1999])?;
    let mut composite = vec![false; 20000];
    let mut primes = Vec::new();
    for i in 2..composite.len() {
        if !composite[i] {
            primes.push(i);
            (i * i..20000).step_by(i).for_each(|j| composite[j] = true);
        }
    }
    writeln!(out, "primes: {} {}", primes.len(), primes.iter().sum::<usize>())?;
    let mut cache = Cache::new(3);
    random.take(200).for_each(|value| cache.use_key(value % 6));
    writeln!(out, "cache: {} {} order {}", cache.hits, cache.misses, join(&cache.order))?;
    writeln!(out, "fib: {}", fibonacci(1_000_000_000, 1_000_007))?;
    writeln!(out, "factorial: {}", (1..=30u128).product::<u128>())?;
    writeln!(out, "queens: {}", queens(8, 0, 0, 0, 0))?;
    let shapes: Vec<Box<dyn Shape>> = vec![
        Box::new(Circle(10)),
        Box::new(Rectangle { width: 3, height: 4 }),
        Box::new(Circle(7)),
        Box::new(Rectangle { width: 5, height: 5 }),
    ];
    let areas = shapes.iter().map(|shape| shape.area());
    writeln!(out, "shapes: {} total {}", join(areas.clone()), areas.sum::<i64>())?;
    Ok(())
}

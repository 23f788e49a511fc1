// The same two hundred lines in every language: graphs, parsing, text, sorting, numbers, caches, classes.
package real.programs;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.StringTokenizer;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

class ExpressionException extends RuntimeException {
    ExpressionException(String message) {
        super(message);
    }
}

/* The file must be named after this class: public class Wrong { } in a comment is no class. */
public class ToolBox {
    static final long PRIME = 1_000_000_007L;

    static class Parser {
        private final String text;
        private int at;

        Parser(String text) {
            this.text = text;
        }

        long parse() {
            long value = expression();
            if (peek() != 0) throw unexpected();
            return value;
        }

        private char peek() {
            while (at < text.length() && text.charAt(at) == ' ') at++;
            return at < text.length() ? text.charAt(at) : 0;
        }

        private ExpressionException unexpected() {
            return new ExpressionException(peek() == 0 ? "unexpected end" : "unexpected '" + peek() + "'");
        }

        private long expression() {
            long value = term();
            for (char symbol = peek(); symbol == '+' || symbol == '-'; symbol = peek()) {
                at++;
                long right = term();
                value = symbol == '+' ? value + right : value - right;
            }
            return value;
        }

        private long term() {
            long value = factor();
            for (char symbol = peek(); "*/%".indexOf(symbol) >= 0; symbol = peek()) {
                at++;
                long right = factor();
                if (symbol != '*' && right == 0) throw new ExpressionException("division by zero");
                value = switch (symbol) {
                    case '*' -> value * right;
                    case '/' -> value / right;
                    default -> value % right;
                };
            }
            return value;
        }

        private long factor() {
            char symbol = peek();
            if (symbol == '-') {
                at++;
                return -factor();
            }
            if (symbol == '(') {
                at++;
                long value = expression();
                if (peek() != ')') throw unexpected();
                at++;
                return value;
            }
            int start = at;
            while (at < text.length() && Character.isDigit(text.charAt(at))) at++;
            if (start == at) throw unexpected();
            return Long.parseLong(text.substring(start, at));
        }
    }

    record Edge(int target, long weight) {
    }

    record Item(long distance, int node) {
    }

    static long[] shortestPaths(List<List<Edge>> graph) {
        long[] distances = new long[graph.size()];
        Arrays.fill(distances, -1);
        PriorityQueue<Item> queue = new PriorityQueue<>(Comparator.comparingLong(Item::distance));
        queue.add(new Item(0, 0));
        while (!queue.isEmpty()) {
            Item item = queue.remove();
            if (distances[item.node()] >= 0) continue;
            distances[item.node()] = item.distance();
            for (Edge edge : graph.get(item.node())) queue.add(new Item(item.distance() + edge.weight(), edge.target()));
        }
        return distances;
    }

    static long seed = 42;

    static long nextRandom() {
        seed = seed * 48271 % 2147483647;
        return seed;
    }

    static long[] mergeSort(long[] items) {
        if (items.length < 2) return items;
        long[] left = mergeSort(Arrays.copyOf(items, items.length / 2));
        long[] right = mergeSort(Arrays.copyOfRange(items, items.length / 2, items.length));
        long[] merged = new long[items.length];
        for (int i = 0, j = 0, k = 0; k < merged.length; k++) {
            merged[k] = j == right.length || i < left.length && left[i] <= right[j] ? left[i++] : right[j++];
        }
        return merged;
    }

    static int lowerBound(long[] items, long wanted) {
        int low = 0, high = items.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (items[middle] < wanted) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    static class Cache extends LinkedHashMap<Integer, Boolean> {
        private final int capacity;
        int hits, misses;

        Cache(int capacity) {
            super(16, 0.75f, true);
            this.capacity = capacity;
        }

        void use(int key) {
            if (get(key) != null) {
                hits++;
                return;
            }
            misses++;
            put(key, true);
        }

        @Override
        protected boolean removeEldestEntry(Map.Entry<Integer, Boolean> eldest) {
            return size() > capacity;
        }
    }

    static long[][] multiply(long[][] a, long[][] b, long modulus) {
        long[][] result = new long[2][2];
        for (int i = 0; i < 2; i++) {
            for (int j = 0; j < 2; j++) result[i][j] = (a[i][0] * b[0][j] + a[i][1] * b[1][j]) % modulus;
        }
        return result;
    }

    static long fibonacci(long n, long modulus) {
        long[][] result = {{1, 0}, {0, 1}}, base = {{1, 1}, {1, 0}};
        for (; n > 0; n >>= 1) {
            if ((n & 1) == 1) result = multiply(result, base, modulus);
            base = multiply(base, base, modulus);
        }
        return result[0][1];
    }

    static String factorial(int n) {
        List<Integer> digits = new ArrayList<>(List.of(1));
        for (int factor = 2; factor <= n; factor++) {
            int carry = 0;
            for (int i = 0; i < digits.size(); i++) {
                carry += digits.get(i) * factor;
                digits.set(i, carry % 10);
                carry /= 10;
            }
            for (; carry > 0; carry /= 10) digits.add(carry % 10);
        }
        StringBuilder text = new StringBuilder();
        digits.forEach(text::append);
        return text.reverse().toString();
    }

    static int queens(int n, int row, int columns, int left, int right) {
        if (row == n) return 1;
        int count = 0;
        for (int free = ((1 << n) - 1) & ~(columns | left | right), bit; free != 0; free ^= bit) {
            bit = free & -free;
            count += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
        }
        return count;
    }

    sealed interface Shape permits Circle, Rectangle {
        int area();
    }

    record Circle(int radius) implements Shape {
        public int area() {
            return 314 * radius * radius / 100;
        }
    }

    record Rectangle(int width, int height) implements Shape {
        public int area() {
            return width * height;
        }
    }

    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        StringTokenizer head = new StringTokenizer(in.readLine());
        int n = Integer.parseInt(head.nextToken()), m = Integer.parseInt(head.nextToken());
        List<List<Edge>> graph = new ArrayList<>();
        for (int i = 0; i < n; i++) graph.add(new ArrayList<>());
        for (int i = 0; i < m; i++) {
            int[] edge = Arrays.stream(in.readLine().split(" ")).mapToInt(Integer::parseInt).toArray();
            graph.get(edge[0]).add(new Edge(edge[1], edge[2]));
        }
        String joined = Arrays.stream(shortestPaths(graph)).mapToObj(String::valueOf).collect(Collectors.joining(" "));
        System.out.println("dist: " + joined);
        int k = Integer.parseInt(in.readLine());
        for (int i = 0; i < k; i++) {
            String line = in.readLine();
            try {
                System.out.println("expr: " + line + " = " + new Parser(line).parse());
            } catch (ExpressionException error) {
                System.out.println("expr: " + line + " error: " + error.getMessage());
            }
        }
        Map<String, Integer> counts = new TreeMap<>();
        in.lines().flatMap(line -> Arrays.stream(line.toLowerCase().split("[^a-z]+"))).filter(word -> !word.isEmpty())
                .forEach(word -> counts.merge(word, 1, Integer::sum));
        System.out.println(counts.entrySet().stream().sorted(Map.Entry.<String, Integer>comparingByValue().reversed())
                .limit(5).map(entry -> entry.getKey() + "=" + entry.getValue())
                .collect(Collectors.joining(" ", "words: ", "")));
        long[] items = new long[2000];
        for (int i = 0; i < items.length; i++) items[i] = nextRandom();
        items = mergeSort(items);
        long checksum = 0;
        for (int i = 0; i < items.length; i++) checksum = (checksum + (i + 1) * items[i]) % PRIME;
        System.out.printf("sorted: %d %d %d %d%n", items[0], items[1999], checksum, lowerBound(items, items[777]));
        boolean[] composite = new boolean[20000];
        int[] primes = IntStream.range(2, 20000).filter(i -> {
            if (composite[i]) return false;
            for (long j = (long) i * i; j < 20000; j += i) composite[(int) j] = true;
            return true;
        }).toArray();
        System.out.println("primes: " + primes.length + " " + Arrays.stream(primes).asLongStream().sum());
        Cache cache = new Cache(3);
        for (int i = 0; i < 200; i++) cache.use((int) (nextRandom() % 6));
        List<String> order = cache.sequencedKeySet().reversed().stream().map(String::valueOf).toList();
        System.out.println("cache: " + cache.hits + " " + cache.misses + " order " + String.join(" ", order));
        System.out.println("fib: " + fibonacci(1_000_000_000, 1_000_007));
        System.out.println("factorial: " + factorial(30));
        System.out.println("queens: " + queens(8, 0, 0, 0, 0));
        List<Shape> shapes = List.of(new Circle(10), new Rectangle(3, 4), new Circle(7), new Rectangle(5, 5));
        String areas = shapes.stream().map(Shape::area).map(String::valueOf).collect(Collectors.joining(" "));
        System.out.println("shapes: " + areas + " total " + shapes.stream().mapToInt(Shape::area).sum());
    }
}

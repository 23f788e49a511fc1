import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.*;
import java.util.function.*;
import java.util.stream.*;

/** Never run: compiled once, so that the archive of the compiler holds the classes that ordinary programs need. */
public class Training {
    sealed interface Shape permits Circle, Square {
    }

    record Circle(double radius) implements Shape {
    }

    record Square(double side) implements Shape {
    }

    enum Kind {
        ONE {
            @Override
            int value() {
                return 1;
            }
        },
        TWO;

        int value() {
            return 2;
        }
    }

    static class Node<T extends Comparable<T>> implements Iterable<T> {
        private final Deque<T> items = new ArrayDeque<>();
        T value;
        Node<T> left, right;

        Node(T value) {
            this.value = value;
        }

        @Override
        public Iterator<T> iterator() {
            return items.iterator();
        }
    }

    static double area(Shape shape) {
        return switch (shape) {
            case Circle(double radius) when radius > 0 -> Math.PI * radius * radius;
            case Circle circle -> 0;
            case Square square -> square.side() * square.side();
        };
    }

    @SafeVarargs
    static <T> List<T> listOf(T... items) {
        return new ArrayList<>(Arrays.asList(items));
    }

    static int depth(int n) {
        return n <= 0 ? 0 : 1 + depth(n - 1);
    }

    public static void main(String[] args) throws IOException {
        BufferedReader reader = new BufferedReader(new InputStreamReader(System.in));
        StringTokenizer tokens = new StringTokenizer(Objects.requireNonNullElse(reader.readLine(), ""));
        int[][] grid = new int[10][10];
        long sum = 0;
        outer:
        for (int i = 0; i < grid.length; i++) {
            for (int j = 0; j < grid[i].length; j++) {
                if (i == 9 && j == 9) break outer;
                if (grid[i][j] < 0) continue;
                sum += (grid[i][j] ^ i) << 1 | j & 3;
            }
        }
        Map<String, List<Integer>> groups = new TreeMap<>(Comparator.reverseOrder());
        while (tokens.hasMoreTokens()) {
            groups.computeIfAbsent(tokens.nextToken(), key -> new ArrayList<>()).add((int) sum);
        }
        for (Map.Entry<String, List<Integer>> entry : groups.entrySet()) {
            System.out.println(entry.getKey() + ": " + entry.getValue());
        }
        PriorityQueue<int[]> queue = new PriorityQueue<>((a, b) -> Integer.compare(a[0], b[0]));
        queue.add(new int[] {1, 2});
        Function<Integer, Function<Integer, Integer>> add = a -> b -> a + b;
        Supplier<Shape> supplier = () -> new Circle(2);
        Runnable runnable = new Runnable() {
            @Override
            public void run() {
                System.out.printf("%d %.3f%n", depth(10), area(supplier.get()));
            }
        };
        try (Scanner scanner = new Scanner("1 2")) {
            runnable.run();
            synchronized (Training.class) {
                sum += scanner.nextInt();
            }
        } catch (IllegalArgumentException | NoSuchElementException error) {
            throw new IllegalStateException("no", error);
        } finally {
            assert sum >= 0 : "sum";
        }
        String text = IntStream.rangeClosed(1, 5).boxed().filter(i -> i % 2 == 1).map(String::valueOf)
                .collect(Collectors.joining(","));
        var counts = Stream.of(text.split(",")).collect(Collectors.groupingBy(s -> s, Collectors.counting()));
        Object value = counts;
        if (value instanceof Map<?, ?> map && !map.isEmpty()) {
            System.out.println("""
                    text %s
                    """.formatted(map));
        }
        switch (args.length) {
            case 0:
                break;
            default:
                do {
                    sum--;
                } while (sum > 0);
        }
        StringBuilder builder = new StringBuilder();
        for (char c : "abc".toCharArray()) builder.append((char) (c + 1)).append(Kind.valueOf("ONE").value());
        Node<Integer> node = new Node<>(add.apply(1).apply(2));
        for (int item : node) sum += item;
        Optional<Integer> largest = listOf(3, 1, 2).stream().max(Comparator.naturalOrder());
        System.out.println(builder + " " + largest.orElseThrow() + (sum > 3 ? 'y' : 'n'));
    }
}

package rustbox.warming;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Scanner;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Warms up a JVM before it gets its program: loads and initialises the classes that ordinary programs use. A program
 * cannot see this: no thread, no random number, no input or output, no search of the class path. The class path has no
 * program yet, and the JVM never looks again for a jar that was missing.
 */
public final class WarmUp {
    private static final int ROUNDS = 3;
    private static final String JAR = "rustbox.jar";

    private WarmUp() {
    }

    public static void warmUp() throws IOException, ClassNotFoundException {
        for (int round = 0; round < ROUNDS; round++) {
            useLibrary(round);
            loadFromJar();
        }
        System.clearProperty(JAR);
        System.gc();
    }

    private static void useLibrary(int round) throws IOException {
        PrintStream out = new PrintStream(new ByteArrayOutputStream(), true);
        out.println(42);
        out.printf("%d %s %.3f %x%n", round, "text", 1.5, 255);
        Map<String, Integer> counts = new HashMap<>();
        for (int i = 0; i < 100; i++) counts.merge("key" + i % 7, i, Integer::sum);
        List<Integer> numbers = new ArrayList<>(new TreeMap<>(counts).values());
        Collections.sort(numbers);
        out.println(numbers.stream().filter(i -> i % 2 == 0).map(String::valueOf).collect(Collectors.joining(",")));
        PriorityQueue<int[]> queue = new PriorityQueue<>((a, b) -> Integer.compare(a[0], b[0]));
        queue.add(new int[] {round, 1});
        ArrayDeque<Integer> deque = new ArrayDeque<>(numbers);
        out.println(queue.poll()[0] + deque.pop());
        byte[] input = "1 2\nline\n".getBytes();
        Scanner scanner = new Scanner(new ByteArrayInputStream(input));
        out.println(scanner.nextInt() + scanner.nextLong());
        BufferedReader reader = new BufferedReader(new InputStreamReader(new ByteArrayInputStream(input)));
        out.println(Integer.parseInt(reader.readLine().split(" ")[0]));
    }

    /** Loads a class from a jar of our own, with a loader of our own. */
    private static void loadFromJar() throws IOException, ClassNotFoundException {
        URL jar = new File(System.getProperty(JAR)).toURI().toURL();
        try (URLClassLoader loader = new URLClassLoader(new URL[] {jar}, ClassLoader.getPlatformClassLoader())) {
            loader.loadClass("CompileToJar");
        }
    }
}

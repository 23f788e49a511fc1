import java.util.*;
public class Main {
    static List<List<Integer>> next = new ArrayList<>();
    static int depth(int vertex, long a, long b) {
        int found = 1;
        for (int other : next.get(vertex)) found += depth(other, a + 1, b * 3);
        return found;
    }
    public static void main(String[] words) {
        for (int i = 0; i < 150000; i++) next.add(i < 149999 ? List.of(i + 1) : List.of());
        System.out.println(depth(0, 1, 2));
    }
}

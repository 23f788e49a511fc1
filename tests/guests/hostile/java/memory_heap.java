// expect: MLE
// attack: T16 memory_heap: a list that grows
// control: memory_limit
import java.util.ArrayList;
import java.util.List;

public class Main {
    public static void main(String[] arguments) {
        List<long[]> kept = new ArrayList<>();
        for (int mib = 0; mib < 320; mib += 8) kept.add(new long[1 << 20]);
        System.out.println("ESCAPED holds " + kept.size() + " blocks of 8 MiB");
    }
}

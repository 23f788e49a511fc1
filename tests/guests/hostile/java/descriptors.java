// expect: AC
// attack: T23 descriptors: looks for descriptors that lead to a directory
// control: closed_descriptors
import java.io.File;

public class Main {
    public static void main(String[] arguments) {
        for (int number = 3; number < 64; number++) {
            if (new File("/proc/self/fd/" + number + "/usr").isDirectory()) System.out.println("ESCAPED holds the root as " + number);
        }
    }
}

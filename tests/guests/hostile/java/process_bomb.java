// expect: PLE
// attack: T8 process_bomb: starts children that stay
// control: process_limit
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

public class Main {
    public static void main(String[] arguments) {
        List<Process> children = new ArrayList<>();
        try {
            while (children.size() < 30) {
                children.add(new ProcessBuilder("/usr/bin/sleep", "100").redirectErrorStream(true).start());
            }
        } catch (IOException | OutOfMemoryError refused) {
            Runtime.getRuntime().halt(1);
        }
        System.out.println("ESCAPED has " + children.size() + " children");
        Runtime.getRuntime().halt(0);
    }
}

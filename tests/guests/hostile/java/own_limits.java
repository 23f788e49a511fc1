// expect: AC
// attack: T25 own_limits: reads its limits
// control: rlimits
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

public class Main {
    public static void main(String[] arguments) throws IOException {
        Map<String, String> expected = Map.of("Max file size", "2097152", "Max processes", "1024", "Max open files", "128", "Max core file size", "0");
        for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
            expected.forEach((name, value) -> {
                if (line.startsWith(name) && !line.substring(name.length()).trim().split("\\s+")[1].equals(value)) System.out.println("ESCAPED " + line);
            });
        }
    }
}

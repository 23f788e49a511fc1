// expect: AC
// attack: T29 group_path: learns where it stands in the host's control groups
// control: cgroup_namespace
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

public class Main {
    public static void main(String[] arguments) throws IOException {
        try (var lines = Files.lines(Path.of("/proc/self/cgroup"))) {
            lines.filter(line -> line.contains("rustbox-")).forEach(line -> System.out.println("ESCAPED is in " + line));
        }
    }
}

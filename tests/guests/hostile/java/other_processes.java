// expect: AC
// attack: T8 T31 other_processes: lists all processes, and asks who its parent is
// control: pid_namespace
import java.nio.file.Files;
import java.nio.file.Path;

public class Main {
    public static void main(String[] arguments) throws Exception {
        long own = ProcessHandle.current().pid();
        ProcessHandle.allProcesses().filter(process -> process.pid() != own).forEach(process -> System.out.println("ESCAPED sees " + process.pid()));
        String parent = Files.readString(Path.of("/proc/self/stat")).replaceFirst(".*\\) \\S ", "").split(" ")[0];
        if (!parent.equals("1")) System.out.println("ESCAPED the parent is " + parent);
    }
}

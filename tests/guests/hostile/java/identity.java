// expect: AC
// attack: T22 T29 identity: reads in /proc who it is
// control: unprivileged_user
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

public class Main {
    public static void main(String[] arguments) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            String[] words = line.split("\\s+");
            if ((words[0].equals("Uid:") || words[0].equals("Gid:")) && line.matches(".*\\s0(\\s.*|$)")) System.out.println("ESCAPED " + line);
            if (words[0].equals("Groups:") && words.length > 1) System.out.println("ESCAPED " + line);
        }
        if (System.getProperty("user.name").equals("root")) System.out.println("ESCAPED is root");
    }
}

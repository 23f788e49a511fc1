// expect: AC
// attack: T22 execute_from_tmp: starts a program that it wrote into a shared directory
// control: noexec_mounts
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

public class Main {
    public static void main(String[] arguments) throws InterruptedException {
        for (String path : new String[] {"/tmp/copy", "/dev/shm/copy"}) {
            try {
                Files.copy(Path.of("/usr/bin/true"), Path.of(path));
                new File(path).setExecutable(true);
                if (new ProcessBuilder(path).start().waitFor() == 0) System.out.println("ESCAPED executed " + path);
            } catch (IOException expected) {
                continue;
            }
        }
    }
}

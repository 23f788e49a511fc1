// expect: AC
// attack: T5 read_host_files: reads what is the host's
// control: mount_namespace
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

public class Main {
    public static void main(String[] arguments) {
        for (String path : new String[] {"/etc/passwd", "/etc/shadow", "/etc/hostname", "/proc/1/environ", "/root/.bashrc", "/dev/mem", "/var/lib/dpkg/status"}) {
            try {
                if (Files.readAllBytes(Path.of(path)).length > 0) System.out.println("ESCAPED read " + path);
            } catch (IOException expected) {
                continue;
            }
        }
        for (String path : new String[] {"/root", "/home", "/var", "/run", "/sys/kernel", "/proc/1/root"}) {
            String[] names = new File(path).list();
            if (names != null && names.length > 0) System.out.println("ESCAPED listed " + path);
        }
    }
}

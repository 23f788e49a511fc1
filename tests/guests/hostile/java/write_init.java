// expect: AC
// attack: T31 write_init: opens what /proc shows of process 1
// alone: several controls: the user id, hidden processes, and a root of its own
import java.io.IOException;
import java.io.RandomAccessFile;

public class Main {
    public static void main(String[] arguments) {
        for (String name : new String[] {"mem", "comm", "oom_score_adj", "maps", "environ", "clear_refs", "fd/0"}) {
            for (String mode : new String[] {"rw", "r"}) {
                try (RandomAccessFile file = new RandomAccessFile("/proc/1/" + name, mode)) {
                    System.out.println("ESCAPED opened " + name + " " + file.getFD());
                } catch (IOException expected) {
                    continue;
                }
            }
        }
    }
}

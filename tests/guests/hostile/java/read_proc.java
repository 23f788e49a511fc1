// expect: AC
// attack: T29 read_proc: learns about the machine and its other processes
// control: proc_subset
import java.io.File;

public class Main {
    public static void main(String[] arguments) {
        for (String name : new String[] {"cpuinfo", "meminfo", "version", "uptime", "sys", "net/../../cpuinfo", "modules", "1/status", "1/cmdline"}) {
            if (new File("/proc/" + name).exists()) System.out.println("ESCAPED found " + name);
        }
    }
}

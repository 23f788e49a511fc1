// expect: AC
// attack: T31 attach_to_itself: loads code into a virtual machine from outside, through the directory that all share
// alone: two controls: private mounts hide the files, the pid namespace the processes
import java.io.File;
import java.io.IOException;

public class Main {
    public static void main(String[] arguments) throws IOException, InterruptedException {
        long own = ProcessHandle.current().pid();
        new File("/tmp/.attach_pid" + own).createNewFile();
        new ProcessBuilder("/bin/sh", "-c", "kill -QUIT " + own).start().waitFor();
        for (File file : new File("/tmp").listFiles()) {
            if (file.getName().startsWith(".java_pid") && !file.getName().endsWith(String.valueOf(own))) System.out.println("ESCAPED found " + file);
            if (file.getName().startsWith("hsperfdata")) System.out.println("ESCAPED found data of another machine in " + file);
        }
    }
}

// expect: SIG
// attack: T9 kill_everything: kills init and every process that it can see through a shell, itself last
// alone: without a pid namespace it would end the host's processes
import java.io.IOException;

public class Main {
    public static void main(String[] arguments) throws IOException, InterruptedException {
        ProcessHandle.of(1).ifPresent(ProcessHandle::destroyForcibly);
        new ProcessBuilder("/bin/sh", "-c", "kill -9 1; kill -9 -1").start().waitFor();
        Thread.sleep(5000);
    }
}

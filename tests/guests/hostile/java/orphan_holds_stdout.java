// expect: AC
// attack: T11 orphan_holds_stdout: a child in a session of its own keeps the output open after the end
// control: pid_namespace
import java.io.IOException;

public class Main {
    public static void main(String[] arguments) throws IOException {
        new ProcessBuilder("/usr/bin/setsid", "sleep", "1000").inheritIO().start();
        System.out.println("done");
        Runtime.getRuntime().halt(0);
    }
}

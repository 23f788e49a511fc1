// expect: AC
// attack: T1 T2 planted_links: replaces its own archive and the names that the host writes with links out of the box
// control: read_only_root
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

public class Main {
    public static void main(String[] arguments) throws IOException {
        Files.deleteIfExists(Path.of("/box/Main.java"));
        for (String name : new String[] {"Main.java", "stdin", "artifact"}) Files.createSymbolicLink(Path.of("/box", name), Path.of("/etc/passwd"));
        try {
            Files.createLink(Path.of("/box/env"), Path.of("/usr/bin/env"));
            System.out.println("ESCAPED linked to a file of the host");
        } catch (IOException expected) {
            Files.delete(Path.of("/box/solution.jar"));
        }
        try {
            Files.createSymbolicLink(Path.of("/planted"), Path.of("/"));
            System.out.println("ESCAPED planted a link beside the box");
        } catch (IOException expected) {
            System.out.println("refused");
        }
        try {
            Files.move(Path.of("/box"), Path.of("/tmp/box"));
            System.out.println("ESCAPED moved the box");
        } catch (IOException expected) {
            System.out.println("done");
        }
    }
}

// expect: AC
// attack: T7 leave_markers: leaves files for the next run, and looks for those of an earlier one
// control: private_mounts
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;

public class Main {
    public static void main(String[] arguments) throws IOException {
        for (String place : new String[] {"/tmp", "/dev/shm", "/box"}) {
            try {
                Files.createDirectory(Path.of(place, "marker-of-java"));
            } catch (FileAlreadyExistsException found) {
                System.out.println("ESCAPED found " + found.getFile());
            }
        }
    }
}

// expect: MLE
// attack: T6 T16 memory_tmpfs: fills every writable mount with files below the file size limit
// control: memory_limit
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

public class Main {
    public static void main(String[] arguments) throws IOException {
        byte[] block = new byte[1 << 20];
        String[] places = {"/tmp", "/dev/shm", "/box"};
        for (int i = 0; i < 330; i++) Files.write(Path.of(places[i % 3], "file" + i), block);
        System.out.println("ESCAPED stored 330 MiB in files");
    }
}

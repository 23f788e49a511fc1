// expect: RE FSE
// attack: T6 file_size: sets a file's length beyond the limit
// control: rlimits
import java.io.IOException;
import java.io.RandomAccessFile;

public class Main {
    public static void main(String[] arguments) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile("big", "rw")) {
            file.setLength(4 << 20);
            file.seek(file.length());
            file.write(1);
        }
        System.out.println("ESCAPED made a file of 4 MiB");
    }
}

import java.nio.channels.FileChannel;
import java.nio.file.*;
public class Main {
    public static void main(String[] arguments) throws Exception {
        Path path = Files.createFile(Path.of("/tmp/lock"));
        try (var channel = FileChannel.open(path, StandardOpenOption.WRITE); var lock = channel.tryLock()) {
            if (lock.isValid()) System.out.println("ok");
        }
    }
}

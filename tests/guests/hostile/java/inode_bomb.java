// expect: AC
// attack: T6 inode_bomb: empty files, which no byte limit counts
// control: inode_limit
import java.io.File;
import java.io.IOException;

public class Main {
    public static void main(String[] arguments) {
        try {
            for (int i = 0; i < 20_000; i++) new File("/tmp", String.valueOf(i)).createNewFile();
            System.out.println("ESCAPED made 20000 files");
        } catch (IOException refused) {
            System.exit(0);
        }
    }
}

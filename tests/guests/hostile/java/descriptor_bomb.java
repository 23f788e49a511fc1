// expect: AC
// attack: T6 descriptor_bomb: opens the same file again and again
// control: rlimits
import java.io.FileInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

public class Main {
    public static void main(String[] arguments) {
        List<FileInputStream> opened = new ArrayList<>();
        try {
            while (opened.size() < 300) opened.add(new FileInputStream("/dev/null"));
            System.out.println("ESCAPED has " + opened.size() + " descriptors");
        } catch (IOException refused) {
            Runtime.getRuntime().halt(0);
        }
    }
}

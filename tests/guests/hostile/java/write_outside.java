// expect: AC
// attack: T7 write_outside: leaves files where every later run would see them
// control: read_only_root
import java.io.File;
import java.io.IOException;

public class Main {
    public static void main(String[] arguments) {
        String home = System.getProperty("java.home");
        for (String place : new String[] {"/", "/etc", "/dev", "/usr/lib", "/opt", "/opt/rustbox/java", home, home + "/lib"}) {
            try {
                if (new File(place, "planted").createNewFile()) System.out.println("ESCAPED wrote in " + place);
            } catch (IOException expected) {
                continue;
            }
        }
    }
}

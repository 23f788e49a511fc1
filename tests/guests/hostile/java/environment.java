// expect: AC
// attack: T29 environment: looks for credentials in its environment, its properties and that of process 1
// control: clean_environment
import java.nio.file.Files;
import java.nio.file.Path;

public class Main {
    public static void main(String[] arguments) {
        System.getenv().forEach((name, value) -> {
            if (name.matches(".*(AWS|TOKEN|SECRET|KEY|PASSWORD).*")) System.out.println("ESCAPED found " + name + "=" + value);
        });
        System.getProperties().forEach((name, value) -> {
            if (String.valueOf(value).contains("/root")) System.out.println("ESCAPED found " + name + "=" + value);
        });
        if (Files.isReadable(Path.of("/proc/1/environ"))) System.out.println("ESCAPED can read the environment of process 1");
    }
}

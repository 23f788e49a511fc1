// expect: AC
// attack: T26 resolve_name: names resolve to nothing, and at once
// alone: a jail with the way out would ask servers that are not the test's
import java.net.InetAddress;
import java.net.UnknownHostException;

public class Main {
    public static void main(String[] arguments) {
        long begun = System.nanoTime();
        for (String name : new String[] {"example.com", "metadata.google.internal"}) {
            try {
                System.out.println("ESCAPED " + InetAddress.getByName(name));
            } catch (UnknownHostException expected) {
                continue;
            }
        }
        if (System.nanoTime() - begun > 3_000_000_000L) System.out.println("ESCAPED a refusal took its time");
    }
}

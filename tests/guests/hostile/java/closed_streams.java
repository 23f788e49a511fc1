// expect: AC
// attack: T13 closed_streams: closes its streams and prints
// alone: it attacks the supervisor, which has no part that could be left out
import java.io.IOException;

public class Main {
    public static void main(String[] arguments) throws IOException {
        System.in.close();
        System.out.close();
        System.err.close();
        System.out.println("text for nobody");
        new Throwable("text for nobody").printStackTrace();
    }
}

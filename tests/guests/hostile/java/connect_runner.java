// expect: AC
// attack: T26 T27 connect_runner: connects to a port of the runner's host, which the input names
// control: network_namespace
import java.io.IOException;
import java.net.Socket;
import java.util.Scanner;

public class Main {
    public static void main(String[] arguments) {
        int port = new Scanner(System.in).nextInt();
        try (Socket socket = new Socket("127.0.0.1", port)) {
            System.out.println("ESCAPED connected to " + socket.getRemoteSocketAddress());
        } catch (IOException expected) {
            System.exit(0);
        }
    }
}

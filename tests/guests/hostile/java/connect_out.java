// expect: AC
// attack: T26 connect_out: sends datagrams and connects to addresses of both versions
// control: unreachable_network
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;

public class Main {
    public static void main(String[] arguments) {
        for (String address : new String[] {"1.1.1.1", "10.0.0.1", "169.254.169.254", "169.254.170.2", "2606:4700:4700::1111", "fd00:ec2::254"}) {
            try (DatagramSocket socket = new DatagramSocket()) {
                if (address.contains(":")) throw new IOException("datagrams of this machine are for version 4");
                socket.send(new DatagramPacket(new byte[8], 8, InetAddress.getByName(address), 53));
                System.out.println("ESCAPED sent to " + address);
            } catch (IOException expected) {
                System.out.print("");
            }
            try (Socket socket = new Socket()) {
                socket.connect(new InetSocketAddress(address, 80), 1000);
                System.out.println("ESCAPED connected to " + address);
            } catch (IOException expected) {
                if (expected.getMessage().contains("timed out")) System.out.println("ESCAPED had to wait for " + address);
            }
        }
    }
}

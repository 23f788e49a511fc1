import java.security.SecureRandom;
import java.util.*;
public class Main {
    public static void main(String[] arguments) {
        System.out.println(new Random().nextLong());
        System.out.println(UUID.randomUUID());
        System.out.println(new SecureRandom().nextLong());
    }
}

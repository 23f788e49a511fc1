import java.nio.file.*;
import java.util.*;

public class Main {

    public static void main(String[] a) throws Exception { System.out.println("before"); List<byte[]> all = new ArrayList<>(); for (;;) all.add(new byte[1 << 20]); }
}

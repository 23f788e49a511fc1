import java.nio.file.*;
import java.util.*;

public class Main {

    public static void main(String[] a) throws Exception { System.out.println("before"); String y = "y".repeat(65536); do System.out.print(y); while (!System.out.checkError()); throw new IllegalStateException(); }
}

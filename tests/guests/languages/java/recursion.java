import java.nio.file.*;
import java.util.*;

public class Main {
    static int f(int n) { return f(n + 1) + 1; }
    public static void main(String[] a) throws Exception { System.out.println("before"); System.out.println(f(0)); }
}

import java.nio.file.*;
import java.util.*;

public class Main {
    static int f(int n) { return n > 0 ? f(n - 1) + 1 : 0; }
    public static void main(String[] a) throws Exception { System.out.println(f(50000)); }
}

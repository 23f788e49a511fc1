import java.nio.file.*;
import java.util.*;

public class Main {

    public static void main(String[] a) throws Exception { long n = 0; for (int k = 0; k < 60; k++) { List<int[]> x = new ArrayList<>(); for (int i = 0; i < 100000; i++) x.add(new int[4]); n += x.size(); } System.out.println("ok"); }
}

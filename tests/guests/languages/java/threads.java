import java.nio.file.*;
import java.util.*;

public class Main {

    public static void main(String[] a) throws Exception { int[] n = new int[8]; Thread[] all = new Thread[8]; for (int i = 0; i < 8; i++) { int k = i; all[i] = new Thread(() -> n[k] = k); all[i].start(); } for (Thread t : all) t.join(); System.out.println(Arrays.stream(n).sum()); }
}

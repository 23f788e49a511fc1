import java.nio.file.*;
import java.util.*;

public class Main {

    public static void main(String[] a) throws Exception { System.out.println("before"); List<String> all = new ArrayList<>(); for (long i = 0;; i++) all.add("text" + i); }
}

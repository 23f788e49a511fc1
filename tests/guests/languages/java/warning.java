import java.nio.file.*;
import java.util.*;

public class Main {

    public static void main(String[] a) throws Exception { List all = new ArrayList(); all.add("ok"); System.out.println(all.get(0)); }
}

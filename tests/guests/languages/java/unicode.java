import java.nio.file.*;
import java.util.*;

public class Main {

    public static void main(String[] a) throws Exception { String größe = "Привет, 世界 🎉"; System.out.println(größe); }
}

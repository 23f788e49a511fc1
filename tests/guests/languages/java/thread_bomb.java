import java.nio.file.*;
import java.util.*;

public class Main {

    public static void main(String[] a) throws Exception { for (;;) { Thread t = new Thread(() -> { try { Thread.sleep(60000); } catch (InterruptedException e) { } }, "rest"); t.setDaemon(true); t.start(); } }
}

// expect: TLE
// attack: T11 T17 endless_shutdown: ends at once, and its shutdown hook does not
// control: wall_limit
public class Main {
    public static void main(String[] arguments) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                Thread.sleep(1200);
            } catch (InterruptedException ignored) {
                return;
            }
            System.out.println("ESCAPED took 1.2 s to end");
            System.out.flush();
        }));
        System.exit(0);
    }
}

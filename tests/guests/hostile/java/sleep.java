// expect: TLE
// attack: T17 sleep: sleeps, and refuses to be interrupted
// control: wall_limit
public class Main {
    public static void main(String[] arguments) {
        long end = System.currentTimeMillis() + 1200;
        while (System.currentTimeMillis() < end) {
            try {
                Thread.sleep(400);
            } catch (InterruptedException ignored) {
                continue;
            }
        }
        System.out.println("ESCAPED slept 1.2 s");
    }
}

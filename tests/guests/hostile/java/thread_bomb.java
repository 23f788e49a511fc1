// expect: PLE
// attack: T8 thread_bomb: threads count as processes
// control: process_limit
import java.util.concurrent.CountDownLatch;

public class Main {
    public static void main(String[] arguments) {
        CountDownLatch never = new CountDownLatch(1);
        for (int i = 0; i < 60; i++) {
            Thread thread = new Thread(null, () -> {
                try {
                    never.await();
                } catch (InterruptedException ignored) {
                    Thread.currentThread().interrupt();
                }
            }, "thread " + i, 1 << 18);
            thread.setDaemon(true);
            thread.start();
        }
        System.out.println("ESCAPED has 60 threads");
    }
}

// expect: TLE
// attack: T17 burn_cpu_threads: eight threads share the work, so that none of them passes the limit alone
// control: cpu_limit
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

public class Main {
    public static void main(String[] arguments) throws InterruptedException {
        ThreadMXBean clock = ManagementFactory.getThreadMXBean();
        Thread[] threads = new Thread[8];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(() -> {
                while (clock.getCurrentThreadCpuTime() < 80_000_000L) Thread.onSpinWait();
            });
            threads[i].start();
        }
        for (Thread thread : threads) thread.join();
        System.out.println("ESCAPED eight threads burnt 0.6 s of CPU time");
    }
}

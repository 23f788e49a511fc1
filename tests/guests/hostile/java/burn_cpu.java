// expect: TLE
// attack: T9 T17 burn_cpu: computes without end, and its shutdown hook would go on
// control: cpu_limit
import java.lang.management.ManagementFactory;

public class Main {
    public static void main(String[] arguments) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            while (Thread.currentThread().isAlive()) Thread.onSpinWait();
        }));
        long sum = 1;
        while (ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() < 600_000_000L) {
            for (int i = 0; i < 1_000_000; i++) sum = sum * 31 + i;
        }
        System.out.println("ESCAPED burnt 0.6 s of CPU time, " + sum);
        Runtime.getRuntime().halt(0);
    }
}

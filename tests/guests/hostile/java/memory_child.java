// expect: MLE
// attack: T16 memory_child: a pipeline of children eats, and the parent hides their death behind exit code 0
// control: memory_limit
public class Main {
    public static void main(String[] arguments) throws Exception {
        Process child = new ProcessBuilder("/bin/sh", "-c", "head -c 320M /dev/zero | tail -n 1 | wc -c").start();
        String counted = new String(child.getInputStream().readAllBytes()).trim();
        if (counted.equals(String.valueOf(320 << 20))) System.out.println("ESCAPED children held 320 MiB");
        Thread.sleep(500);
    }
}

// expect: MLE
// attack: T16 memory_catch: catches what the runtime throws when memory is short, and goes on
// control: memory_limit
public class Main {
    static byte[][] kept = new byte[400][];

    public static void main(String[] arguments) {
        int blocks = 0;
        while (blocks < 320) {
            try {
                kept[blocks] = new byte[1 << 20];
                blocks++;
            } catch (OutOfMemoryError ignored) {
                kept[0] = null;
            }
        }
        System.out.println("ESCAPED holds " + blocks + " MiB");
    }
}

// expect: RE
// attack: T14 output_flood: more output than may be kept; the stream only remembers its errors
// control: output_limit
public class Main {
    public static void main(String[] arguments) {
        String line = "y".repeat(4095);
        for (int i = 0; i < 160; i++) {
            System.out.println(line);
            if (System.out.checkError()) System.exit(1);
        }
        System.out.println("ESCAPED wrote 640 KiB");
    }
}

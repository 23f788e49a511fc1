// expect: RE
// attack: T14 error_flood: stack traces without end
// control: output_limit
public class Main {
    public static void main(String[] arguments) {
        for (int i = 0; i < 2000; i++) {
            deeper(i, 5);
            if (System.err.checkError()) System.exit(1);
        }
        System.out.println("ESCAPED printed 2000 stack traces");
    }

    static void deeper(int number, int levels) {
        if (levels > 0) deeper(number, levels - 1);
        else new IllegalStateException("trace " + number).printStackTrace();
    }
}

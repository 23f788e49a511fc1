// expect: RE
// attack: T20 deep_recursion: uses up the stack, and once more while it handles that
// alone: it meets the stack's own end, in a jail or not
public class Main {
    static int depth(int level) {
        try {
            return depth(level + 1) + 1;
        } finally {
            if (level < 3) depth(level + 1);
        }
    }

    public static void main(String[] arguments) {
        System.out.println(depth(0));
    }
}

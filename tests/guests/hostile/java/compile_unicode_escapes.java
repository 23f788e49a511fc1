// expect: RE
// attack: T22 compile_unicode_escapes: a comment that is code, and a class that is not called as its file
// alone: it attacks the choice of a file name, which is in no control
// \u000a public class Other { static { System.out.println("ESCAPED"); } }
public class Main {
    public static void main(String[] arguments) {
        System.out.println("\u0048ello");
    }
}

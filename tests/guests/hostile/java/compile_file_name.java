// expect: RE
// attack: T1 compile_file_name: a public class whose name would be a path
// alone: it attacks the choice of a file name, which is in no control
public class ..\u002f..\u002ftmp\u002fMain {
    public static void main(String[] arguments) {
        System.out.println("ESCAPED");
    }
}

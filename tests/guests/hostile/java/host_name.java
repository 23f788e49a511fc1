// expect: AC
// attack: T29 host_name: asks a program of the system for the host's name
// control: uts_namespace
public class Main {
    public static void main(String[] arguments) throws Exception {
        Process child = new ProcessBuilder("/usr/bin/uname", "-n").start();
        String name = new String(child.getInputStream().readAllBytes()).trim();
        if (!name.equals("rustbox-sandbox")) System.out.println("ESCAPED the host is " + name);
    }
}

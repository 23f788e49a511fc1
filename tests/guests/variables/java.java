public class Main {
  public static void main(String[] a) {
    System.out.println(System.getenv().getOrDefault("GREETING", "none") + " " + System.getenv("PATH"));
  }
}

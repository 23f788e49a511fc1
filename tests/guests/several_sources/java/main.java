import shapes.Area;
public class Main { public static void main(String[] a) { System.out.println(Area.of(6, Helper.SEVEN)); } }

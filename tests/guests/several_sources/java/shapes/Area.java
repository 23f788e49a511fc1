package shapes; public class Area { public static int of(int a, int b) {return a*b;}}

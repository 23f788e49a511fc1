// What a program can look at, one block each. Compiling and starting a JVM for each would take long.
{
    for (String f : new TreeSet<>(List.of(new File("/proc/self/fd").list()))) if (f.length() == 1) {
        var path = Path.of("/proc/self/fd/" + f);
        String to = Files.exists(path) ? "" + Files.readSymbolicLink(path) : "gone";
        System.out.println(to.startsWith("socket") || to.contains("files") ? "ESCAPED " + to : "fine");
    }
}
{
    for (var e : Thread.currentThread().getStackTrace()) System.out.println(e);
}
{
    System.out.println(Thread.currentThread() + " " + Thread.currentThread().threadId());
    System.out.println(new Thread().getName() + " " + Thread.activeCount());
}
{
    System.out.println(a.length);
}
{
    new TreeMap<>(System.getProperties()).forEach((k, v) -> System.out.println(k + "=" + v));
}
{
    new TreeMap<>(System.getenv()).forEach((k, v) -> System.out.println(k + "=" + v));
}
{
    Class<?> c = Main.class;
    System.out.println(c.getClassLoader().getClass() + " " + c.getPackage());
    System.out.println(c.getProtectionDomain().getCodeSource() + " " + c.getResource("Main.class"));
}
{
    System.out.println("äöü 漢字 🙂 " + System.in.available());
}
{
    System.out.println(new Scanner(System.in).nextLine());
}
{
    Files.list(Path.of(".")).sorted().forEach(System.out::println);
    System.out.println(Files.readString(Files.writeString(Path.of("x"), "y")));
    System.out.println(new TreeSet<>(Files.getPosixFilePermissions(Path.of("solution.jar"))));
}
{
    System.out.println(Runtime.getRuntime().maxMemory() >> 20);
}
{
    System.out.println(new Random().nextInt() == new Random().nextInt());
}
{
    record Box(int x) { }
    Object box = new Box(3);
    System.out.println(switch (box) { case Box(int x) when x > 2 -> x; default -> 0; });
}
{
    System.out.print("no newline");
}

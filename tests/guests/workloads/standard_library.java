// What Java programs use of the JDK. Prints "ok <part>" or "FAILED <part> ..."; exit code 1 if any failed.
import java.io.*;
import java.lang.management.ManagementFactory;
import java.math.BigInteger;
import java.net.*;
import java.net.http.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.security.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.regex.Pattern;
import java.util.stream.*;
import java.util.zip.*;

public class Main {
    interface Part { void run() throws Exception; }

    static void need(boolean condition, String what) {
        if (!condition) throw new IllegalStateException(what);
    }

    record Point(int x, int y) {}

    static void values() throws Exception {
        need(IntStream.range(0, 1000).parallel().sum() == 499500, "parallel streams");
        need(Stream.of("b", "a").sorted().collect(Collectors.joining()).equals("ab"), "streams");
        need(BigInteger.TWO.pow(100).bitLength() == 101 && Pattern.matches("[a-z]+\\d", "ab1"), "numbers");
        need(new Point(1, 2).equals(new Point(1, 2)) && String.format("%.2f", 1.5).length() == 4, "records");
        need(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest()).startsWith("e3b0"), "digest");
        byte[] seed = new byte[8];
        SecureRandom.getInstanceStrong().nextBytes(seed);
        need(UUID.randomUUID() != null && new Random().nextInt(5) < 5, "random");
        var packed = new ByteArrayOutputStream();
        try (var out = new GZIPOutputStream(packed)) { out.write("text".getBytes()); }
        need(new String(new GZIPInputStream(new ByteArrayInputStream(packed.toByteArray())).readAllBytes()).equals("text"), "gzip");
        need(ZonedDateTime.of(2024, 1, 1, 0, 0, 0, 0, ZoneId.of("Europe/Berlin")).getOffset().getTotalSeconds() == 3600, "zones");
        need(new Scanner("1 2").nextInt() == 1 && Locale.getDefault() != null, "scanner");
        var bytes = new ByteArrayOutputStream();
        new ObjectOutputStream(bytes).writeObject(new ArrayList<>(List.of(1)));
        need(new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray())).readObject().equals(List.of(1)), "objects");
        List<byte[]> hold = new ArrayList<>();
        for (int i = 0; i < 100; i++) hold.add(new byte[1 << 20]);
        hold = null;
        System.gc();
    }

    static void files() throws Exception {
        Path made = Path.of("made"), a = made.resolve("a");
        Files.createDirectories(made.resolve("deep"));
        Files.writeString(a, "hello");
        Files.createLink(made.resolve("b"), a);
        Files.createSymbolicLink(made.resolve("c"), Path.of("a"));
        Files.move(made.resolve("b"), made.resolve("d"), StandardCopyOption.ATOMIC_MOVE);
        Files.copy(a, made.resolve("e"), StandardCopyOption.COPY_ATTRIBUTES);
        need(Files.readSymbolicLink(made.resolve("c")).toString().equals("a") && made.resolve("c").toRealPath().endsWith("a"), "links");
        Files.setPosixFilePermissions(a, PosixFilePermissions.fromString("rw-------"));
        Files.setLastModifiedTime(a, FileTime.fromMillis(1000));
        need(Files.readAttributes(a, "unix:*").size() > 5 && Files.isReadable(a), "attributes");
        var own = Files.getFileAttributeView(a, UserDefinedFileAttributeView.class);
        try {
            own.write("x", ByteBuffer.wrap(new byte[] {1}));
            need(own.size("x") == 1 && own.list().equals(List.of("x")), "own attributes");
            own.delete("x");
        } catch (FileSystemException refused) {
            need(refused.getMessage().contains("not supported"), refused.toString());
        }
        try (var channel = FileChannel.open(a, StandardOpenOption.READ, StandardOpenOption.WRITE);
                var other = FileChannel.open(made.resolve("f"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap("H".getBytes()), 0);
            channel.force(true);
            try (var lock = channel.lock()) { need(lock.isValid(), "lock"); }
            var map = channel.map(FileChannel.MapMode.READ_WRITE, 0, 5);
            map.put(1, (byte) 'E');
            map.force();
            map.load().isLoaded();
            need(channel.transferTo(0, 5, other) == 5 && channel.truncate(4).size() == 4, "transfer");
            channel.read(new ByteBuffer[] {ByteBuffer.allocate(1), ByteBuffer.allocateDirect(2)});
        }
        try (var file = new RandomAccessFile(a.toFile(), "rw")) { file.seek(2); file.write(1); file.setLength(3); }
        Files.createFile(made.resolve("new"));
        try (var tree = Files.walk(made)) { need(tree.count() == 8, "walk"); }
        try (var tree = Files.walk(made)) { tree.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete()); }
        Path temporary = Files.createTempFile("part", ".txt");
        temporary.toFile().deleteOnExit();
        try (var zip = new ZipOutputStream(Files.newOutputStream(temporary))) { zip.putNextEntry(new ZipEntry("a")); zip.write(1); }
        try (var zip = FileSystems.newFileSystem(temporary)) { need(Files.size(zip.getPath("a")) == 1, "zip"); }
        need(new File("/tmp").getUsableSpace() > 0 && Files.createTempDirectory("part").toFile().delete(), "space");
        try (var channel = AsynchronousFileChannel.open(temporary)) { need(channel.read(ByteBuffer.allocate(1), 0).get() == 1, "asynchronous"); }
    }

    static void threads() throws Exception {
        var total = new AtomicInteger();
        try (var pool = Executors.newFixedThreadPool(8)) {
            for (var future : pool.invokeAll(Collections.nCopies(50, () -> total.incrementAndGet()))) future.get();
        }
        try (var virtual = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 100; i++) virtual.submit(() -> { Thread.sleep(1); return total.incrementAndGet(); });
        }
        need(total.get() == 150, "executors");
        need(CompletableFuture.supplyAsync(() -> 5).thenApply(x -> x * 2).get(5, TimeUnit.SECONDS) == 10, "futures");
        var thread = new Thread(() -> { synchronized (total) { total.notifyAll(); } }, "named");
        thread.setPriority(Thread.MAX_PRIORITY);
        synchronized (total) { thread.start(); total.wait(5000); }
        thread.join();
        var timer = new Timer(true);
        var latch = new CountDownLatch(1);
        timer.schedule(new TimerTask() { public void run() { latch.countDown(); } }, 1);
        need(latch.await(5, TimeUnit.SECONDS) && !new Semaphore(0).tryAcquire(1, TimeUnit.MILLISECONDS), "timer");
        timer.cancel();
        Thread.yield();
        Thread.sleep(0, 1000);
        need(ForkJoinPool.commonPool().invoke(ForkJoinTask.adapt(() -> 3)) == 3, "fork and join");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("ok shutdown hook")));
        need(Runtime.getRuntime().availableProcessors() > 0 && ManagementFactory.getRuntimeMXBean().getUptime() > 0, "runtime");
        need(ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() > 0 && ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed() > 0, "beans");
        try { deep(0); need(false, "no overflow"); } catch (StackOverflowError expected) { }
        try { ((Object) null).toString(); need(false, "no fault"); } catch (NullPointerException expected) { }
    }

    static int deep(int depth) { return deep(depth + 1) + 1; }

    static void processes() throws Exception {
        var process = new ProcessBuilder("/bin/sh", "-c", "echo hi | tr a-z A-Z").redirectErrorStream(true).start();
        need(new String(process.getInputStream().readAllBytes()).equals("HI\n") && process.waitFor() == 0, "output");
        need(new ProcessBuilder("/bin/sh", "-c", "exit 3").directory(new File("/tmp")).start().waitFor() == 3, "exit code");
        var cat = Runtime.getRuntime().exec(new String[] {"/bin/cat"});
        try (var in = cat.outputWriter()) { in.write("through"); }
        need(cat.inputReader().readLine().equals("through") && cat.onExit().get(5, TimeUnit.SECONDS).exitValue() == 0, "cat");
        var sleeper = new ProcessBuilder("/bin/sleep", "50").start();
        need(sleeper.toHandle().isAlive() && sleeper.destroyForcibly().waitFor(5, TimeUnit.SECONDS), "destroy");
        need(ProcessHandle.current().pid() > 0 && ProcessHandle.current().info() != null && ProcessHandle.allProcesses().count() > 0, "handles");
        need(System.getenv("HOME") != null && System.getProperty("java.version").startsWith("21") && System.nanoTime() != 0, "system");
    }

    static void sockets() throws Exception {
        var address = UnixDomainSocketAddress.of("/tmp/server");
        try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(address);
                var client = SocketChannel.open(address); var taken = server.accept(); var selector = Selector.open()) {
            taken.write(ByteBuffer.wrap("served".getBytes()));
            client.configureBlocking(false).register(selector, SelectionKey.OP_READ);
            need(selector.select(5000) == 1 && client.read(ByteBuffer.allocate(6)) == 6, "selector");
        }
        var pipe = Pipe.open();
        pipe.sink().write(ByteBuffer.wrap(new byte[1]));
        need(pipe.source().read(ByteBuffer.allocate(1)) == 1, "pipe");
    }

    static void network() throws Exception {
        long begun = System.nanoTime();
        for (String host : List.of("127.0.0.1", "192.0.2.1", "example.org")) {
            try (var socket = new Socket()) {
                socket.connect(new InetSocketAddress(host, 9), 15_000);
                need(false, host + " answered");
            } catch (IOException expected) { }
        }
        try {
            HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create("http://192.0.2.1/")).build(), HttpResponse.BodyHandlers.ofString());
            need(false, "http answered");
        } catch (IOException expected) { }
        try (var datagrams = new DatagramSocket(null)) { need(!datagrams.isBound(), "datagrams"); }
        try { NetworkInterface.networkInterfaces().count(); } catch (SocketException expected) { }
        need(System.nanoTime() - begun < 15_000_000_000L, "the network must fail at once");
    }

    public static void main(String[] arguments) {
        Map<String, Part> parts = new LinkedHashMap<>();
        parts.put("values", Main::values);
        parts.put("files", Main::files);
        parts.put("threads", Main::threads);
        parts.put("processes", Main::processes);
        parts.put("sockets", Main::sockets);
        parts.put("network", Main::network);
        int failures = 0;
        for (var part : parts.entrySet()) {
            try {
                part.getValue().run();
                System.out.println("ok " + part.getKey());
            } catch (Throwable error) {
                failures++;
                System.out.println("FAILED " + part.getKey() + " " + error);
                error.printStackTrace(System.out);
            }
        }
        System.exit(failures == 0 ? 0 : 1);
    }
}

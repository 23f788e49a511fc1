import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * Compiles one source file as javac does, and puts its classes, uncompressed, into one jar. All in one process, because
 * each start of a JVM takes longer than the work. Arguments: source, jar, then options of javac (with a dash in front)
 * and other sources. Exits with 1 after errors, which javac has written to stderr. Uses no streams and no lambdas: their first use takes longer than writing the jar.
 *
 * In a JVM that waits for its source, warmUp runs first, see waiting_java.c.
 */
public final class CompileToJar extends ForwardingJavaFileManager<JavaFileManager> {
    private static final int WARMING_ROUNDS = 10;

    private final Map<String, ByteArrayOutputStream> classes = new TreeMap<>();

    private CompileToJar(JavaFileManager files) {
        super(files);
    }

    public static void main(String[] arguments) throws IOException {
        List<String> options = new ArrayList<>(List.of("-proc:none"));
        List<File> sources = new ArrayList<>(List.of(new File(arguments[0])));
        for (int index = 2; index < arguments.length; index++) {
            if (arguments[index].startsWith("-")) {
                options.add(arguments[index]);
            } else {
                sources.add(new File(arguments[index]));
            }
        }
        CompileToJar compiled = compile(sources, options);
        if (compiled != null && !compiled.mayHaveMain()) {
            System.err.println("error: no class has a method public static void main(String[])");
            compiled = null;
        }
        if (compiled != null) {
            try (OutputStream file = new FileOutputStream(arguments[1])) {
                compiled.writeJar(file);
            }
        }
        System.exit(compiled != null ? 0 : 1);
    }

    /** Compiles the training source again and again; leaves nothing behind. */
    public static void warmUp() throws IOException {
        for (int round = 0; round < WARMING_ROUNDS; round++) {
            List<File> training = List.of(new File(System.getProperty("rustbox.training")));
            compile(training, List.of("-proc:none")).writeJar(new ByteArrayOutputStream());
        }
    }

    /** Null when there were errors. */
    private static CompileToJar compile(List<File> paths, List<String> options) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StandardJavaFileManager files = compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8);
        CompileToJar output = new CompileToJar(files);
        Iterable<? extends JavaFileObject> sources = files.getJavaFileObjectsFromFiles(paths);
        boolean succeeded = compiler.getTask(null, output, null, options, null, sources).call();
        return succeeded ? output : null;
    }

    @Override
    public JavaFileObject getJavaFileForOutput(
            Location location, String className, JavaFileObject.Kind kind, FileObject sibling) {
        String path = className.replace('.', '/') + kind.extension;
        return new SimpleJavaFileObject(URI.create("memory:///class"), kind) {
            @Override
            public OutputStream openOutputStream() {
                ByteArrayOutputStream content = new ByteArrayOutputStream();
                classes.put(path, content);
                return content;
            }
        };
    }

    /** Whether a class has the name and the type of main in its constants: without them there is no such method. */
    private boolean mayHaveMain() {
        for (ByteArrayOutputStream content : classes.values()) {
            String text = content.toString(StandardCharsets.ISO_8859_1);
            if (text.contains("\u0001\0\4main") && text.contains("\u0001\0\26([Ljava/lang/String;)V")) {
                return true;
            }
        }
        return false;
    }

    private void writeJar(OutputStream file) throws IOException {
        try (ZipOutputStream zip = new ZipOutputStream(file)) {
            for (Map.Entry<String, ByteArrayOutputStream> found : classes.entrySet()) {
                byte[] content = found.getValue().toByteArray();
                CRC32 checksum = new CRC32();
                checksum.update(content);
                ZipEntry entry = new ZipEntry(found.getKey());
                entry.setMethod(ZipEntry.STORED);
                entry.setSize(content.length);
                entry.setCrc(checksum.getValue());
                zip.putNextEntry(entry);
                zip.write(content);
            }
        }
    }
}

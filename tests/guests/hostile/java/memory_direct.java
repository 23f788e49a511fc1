// expect: MLE
// attack: T16 memory_direct: buffers outside of the heap
// control: memory_limit
import java.nio.ByteBuffer;
import java.util.ArrayDeque;

public class Main {
    public static void main(String[] arguments) {
        ArrayDeque<ByteBuffer> buffers = new ArrayDeque<>();
        while (buffers.size() < 40) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(8 << 20);
            for (int at = 0; at < buffer.capacity(); at += 4096) buffer.put(at, (byte) 1);
            buffers.add(buffer);
        }
        System.out.println("ESCAPED holds 320 MiB outside of the heap");
    }
}

// expect: SIG
// attack: T25 unsafe_memory: writes to an address of its choice, and the runtime may not tell the host
// alone: it ends by a signal of its own making; the verdict is what is tested
import java.lang.reflect.Field;
import sun.misc.Unsafe;

public class Main {
    public static void main(String[] arguments) throws ReflectiveOperationException {
        Field field = Unsafe.class.getDeclaredField("theUnsafe");
        field.setAccessible(true);
        ((Unsafe) field.get(null)).putLong(8, 1);
    }
}

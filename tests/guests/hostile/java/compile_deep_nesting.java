// expect: RE MLE TLE AC
// attack: T20 compile_deep_nesting: generic types nested deeper than the compiler's stack
// alone: a compiler's bomb has no end that it could reach within a bound
import java.util.List;

public class Main {
    interface N<Z> {}

    interface C<X> extends N<N<? super C<C<X>>>> {}

    static N<? super C<Byte>> cast(C<Byte> value) {
        return value;
    }

    public static void main(String[] arguments) {
        System.out.println(List.of(cast(null)));
    }
}

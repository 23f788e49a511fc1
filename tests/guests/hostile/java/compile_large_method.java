// expect: RE MLE TLE
// attack: T20 compile_large_method: a method whose endings the compiler copies, once for each way out
// alone: a compiler's bomb has no end that it could reach within a bound
public class Main {
    public static void main(String[] arguments) {
        try { a(); } finally { try { a(); } finally { try { a(); } finally { try { a(); } finally { try { a(); } finally {
        try { a(); } finally { try { a(); } finally { try { a(); } finally { try { a(); } finally { try { a(); } finally {
        try { a(); } finally { try { a(); } finally { try { a(); } finally { try { a(); } finally { try { a(); } finally {
        try { a(); } finally { try { a(); } finally { try { a(); } finally { try { a(); } finally { try { a(); } finally {
            a();
        } } } } } } } } } } } } } } } } } } } }
    }

    static void a() {}
}

// expect: AC RE
// attack: T22 compile_processor: a source that is an annotation processor and a compiler plug-in, to be run by the compiler
// alone: the compiler is called without processors; there is no control to take away
import java.util.Set;
import javax.annotation.processing.AbstractProcessor;
import javax.annotation.processing.RoundEnvironment;
import javax.annotation.processing.SupportedAnnotationTypes;
import javax.lang.model.element.TypeElement;

@SupportedAnnotationTypes("*")
public class Main extends AbstractProcessor {
    static {
        if (System.getProperty("sun.java.command", "").contains("Compile")) System.out.println("ESCAPED runs inside the compiler");
    }

    @Override
    public boolean process(Set<? extends TypeElement> annotations, RoundEnvironment round) {
        System.out.println("ESCAPED runs inside the compiler");
        return true;
    }

    public static void main(String[] arguments) {
        System.out.println("started as a program");
    }
}

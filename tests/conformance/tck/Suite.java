import java.io.FileReader;
import java.util.Arrays;
import java.util.Properties;
import org.eclipse.dataspacetck.runtime.TckRuntime;

/** Runs packages of a suite by its own runtime: later releases cannot be run by JUnit's console. */
public class Suite {
    public static void main(String[] arguments) throws Exception {
        var settings = new Properties();
        settings.load(new FileReader(arguments[0]));
        var suite = TckRuntime.Builder.newInstance();
        settings.forEach((key, value) -> suite.property((String) key, (String) value));
        Arrays.stream(arguments).skip(1).forEach(suite::addPackage);
        var found = suite.build().execute();
        found.getFailures().forEach(f ->
            System.out.printf("failed   %s: %s%n", f.getTestIdentifier().getDisplayName(), f.getException()));
        System.out.printf("%d passed, %d failed%n", found.getTestsSucceededCount(), found.getTotalFailureCount());
        System.exit(found.getTotalFailureCount() == 0 ? 0 : 1);
    }
}

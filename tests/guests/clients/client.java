// Input: lines of `case scheme host port`. Output: `case: answer` or `case: error`.
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Scanner;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Main {
    static SSLContext trusting() throws Exception {
        byte[] pem = System.getenv("CA_PEM").getBytes();
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(pem)));
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    public static void main(String[] arguments) throws Exception {
        Scanner input = new Scanner(System.in);
        while (input.hasNext()) {
            String name = input.next(), scheme = input.next(), host = input.next(), port = input.next();
            HttpClient.Builder builder = HttpClient.newBuilder();
            if (scheme.equals("https") && !name.equals("bad_certificate")) builder.sslContext(trusting());
            try {
                HttpRequest request = HttpRequest.newBuilder(URI.create(scheme + "://" + host + ":" + port + "/"))
                    .timeout(Duration.ofSeconds(name.equals("silent") ? 1 : 20)).build();
                System.out.println(name + ": " + builder.build().send(request, HttpResponse.BodyHandlers.ofString()).body());
            } catch (java.io.IOException error) {
                Throwable cause = error;
                while (cause.getCause() != null) cause = cause.getCause();
                System.out.println(name + ": " + error.getClass().getSimpleName() + " " + cause);
            }
        }
        System.exit(0);
    }
}

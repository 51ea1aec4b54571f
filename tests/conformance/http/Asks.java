import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.io.ByteArrayInputStream;

/** The client of the Java library as it comes: over plain HTTP it asks for HTTP/2 with its first request. */
public class Asks {
    public static void main(String[] arguments) throws Exception {
        var client = HttpClient.newHttpClient();
        for (int round = 0; round < 2; round++) {
            var body = ("round " + round + " ").repeat(20_000).getBytes();
            for (var publisher : new HttpRequest.BodyPublisher[] {
                BodyPublishers.ofByteArray(body),
                BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body)) // sent in chunks
            }) {
                var request = HttpRequest.newBuilder(URI.create(arguments[0])).POST(publisher).build();
                var reply = client.send(request, BodyHandlers.ofByteArray());
                var same = java.util.Arrays.equals(body, reply.body());
                System.out.println(reply.version() + " " + reply.statusCode() + " " + same);
            }
        }
    }
}

package interop;

import static java.net.URLEncoder.encode;
import static java.nio.charset.StandardCharsets.UTF_8;

import jakarta.json.Json;
import java.io.IOException;
import java.io.StringReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Map;
import org.eclipse.edc.iam.decentralizedclaims.spi.SecureTokenService;
import org.eclipse.edc.runtime.metamodel.annotation.Provider;
import org.eclipse.edc.spi.iam.TokenRepresentation;
import org.eclipse.edc.spi.result.Result;
import org.eclipse.edc.spi.system.ServiceExtension;
import org.eclipse.edc.spi.system.ServiceExtensionContext;
import org.eclipse.edc.spi.system.configuration.Config;

/** Has tokens made by the OAuth2 token service `interop.sts`; the module that does it is in no registry. */
public class TokenService implements ServiceExtension {
    // An upgrade to HTTP/2 in clear text loses the body at servers that do not take it.
    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    @Provider
    public SecureTokenService tokens(ServiceExtensionContext context) {
        Config config = context.getConfig();
        return (participant, claims, scope) -> ask(config, claims, scope);
    }

    private Result<TokenRepresentation> ask(Config config, Map<String, ?> claims, String scope) {
        StringBuilder form = new StringBuilder("grant_type=client_credentials");
        add(form, "client_id", config.getString("interop.sts.client"));
        add(form, "client_secret", config.getString("interop.sts.secret"));
        add(form, "audience", claims.get("aud"));
        add(form, "token", claims.get("token"));
        add(form, "bearer_access_scope", scope);
        HttpRequest request = HttpRequest.newBuilder(URI.create(config.getString("interop.sts.url")))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(BodyPublishers.ofString(form.toString()))
            .build();
        try {
            var reply = http.send(request, BodyHandlers.ofString());
            if (reply.statusCode() != 200) {
                return Result.failure("the token service answered " + reply.statusCode() + " " + reply.body());
            }
            String token = Json.createReader(new StringReader(reply.body())).readObject().getString("access_token");
            return Result.success(TokenRepresentation.Builder.newInstance().token(token).build());
        } catch (IOException | InterruptedException error) {
            return Result.failure("the token service did not answer: " + error);
        }
    }

    private static void add(StringBuilder form, String name, Object value) {
        if (value != null) {
            form.append('&').append(name).append('=').append(encode(value.toString(), UTF_8));
        }
    }
}

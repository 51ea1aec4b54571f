package interop;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.eclipse.edc.iam.did.spi.document.Service;
import org.eclipse.edc.identityhub.spi.participantcontext.ParticipantContextService;
import org.eclipse.edc.identityhub.spi.participantcontext.model.KeyDescriptor;
import org.eclipse.edc.identityhub.spi.participantcontext.model.ParticipantManifest;
import org.eclipse.edc.identityhub.spi.transformation.ScopeToCriterionTransformer;
import org.eclipse.edc.runtime.metamodel.annotation.Inject;
import org.eclipse.edc.runtime.metamodel.annotation.Provider;
import org.eclipse.edc.spi.query.Criterion;
import org.eclipse.edc.spi.result.Result;
import org.eclipse.edc.spi.security.Vault;
import org.eclipse.edc.spi.system.ServiceExtension;
import org.eclipse.edc.spi.system.ServiceExtensionContext;

/** Makes the one holder of a wallet, as `interop.holder` says, and reads scopes by the name that DCP 1.0 gives them. */
public class Holder implements ServiceExtension {
    private static final String BY_TYPE = "org.eclipse.dspace.dcp.vc.type:";

    @Inject
    private ParticipantContextService holders;
    @Inject
    private Vault vault;
    private ServiceExtensionContext context;

    @Override
    public void initialize(ServiceExtensionContext context) {
        this.context = context;
    }

    @Provider
    public ScopeToCriterionTransformer scopes() {
        return scope -> {
            if (!scope.startsWith(BY_TYPE)) {
                return Result.failure("not a scope by type: " + scope);
            }
            String type = scope.substring(BY_TYPE.length()).replaceFirst(":read$", "");
            return Result.success(new Criterion("verifiableCredential.credential.type", "contains", type));
        };
    }

    @Override
    public void start() {
        var said = context.getConfig("interop.holder");
        var id = said.getString("id");
        var key = KeyDescriptor.Builder.newInstance()
            .keyId(said.getString("did") + "#key")
            .privateKeyAlias("key")
            .keyGeneratorParams(Map.of("algorithm", "EC", "curve", "secp256r1"))
            .build();
        var manifest = ParticipantManifest.Builder.newInstance()
            .participantContextId(id)
            .did(said.getString("did"))
            .active(true)
            .key(key)
            .serviceEndpoints(Set.of(
                new Service("credentials", "CredentialService", said.getString("credentials")),
                new Service("connector", "DataService", said.getString("connector"))))
            .roles(List.of("admin"))
            .build();
        holders.createParticipantContext(manifest).orElseThrow(no -> new IllegalStateException(no.getFailureDetail()));
        // The secrets that it made up are told to nobody; these are the test's.
        var alias = holders.getParticipantContext(id).getContent().getApiTokenAlias();
        vault.storeSecret(id, alias, said.getString("key"));
        vault.storeSecret(id, manifest.clientSecretAlias(), said.getString("secret"));
    }
}

package interop;

import java.util.List;
import org.eclipse.edc.policy.context.request.spi.RequestCatalogPolicyContext;
import org.eclipse.edc.policy.context.request.spi.RequestContractNegotiationPolicyContext;
import org.eclipse.edc.policy.context.request.spi.RequestPolicyContext;
import org.eclipse.edc.policy.context.request.spi.RequestTransferProcessPolicyContext;
import org.eclipse.edc.policy.engine.spi.PolicyEngine;
import org.eclipse.edc.runtime.metamodel.annotation.Inject;
import org.eclipse.edc.spi.system.ServiceExtension;
import org.eclipse.edc.spi.system.ServiceExtensionContext;

/** Has every party show, and be shown, the credential that the setting `interop.scope` names. */
public class Scopes implements ServiceExtension {
    @Inject
    private PolicyEngine policies;

    @Override
    public void initialize(ServiceExtensionContext context) {
        String scope = context.getConfig().getString("interop.scope");
        for (Class<? extends RequestPolicyContext> asked : List.of(
                RequestCatalogPolicyContext.class,
                RequestContractNegotiationPolicyContext.class,
                RequestTransferProcessPolicyContext.class)) {
            policies.registerPostValidator(asked, (policy, request) -> {
                request.requestScopeBuilder().scope(scope);
                return true;
            });
        }
    }
}

package interop;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import org.eclipse.edc.runtime.metamodel.annotation.Inject;
import org.eclipse.edc.spi.security.Vault;
import org.eclipse.edc.spi.system.ServiceExtension;
import org.eclipse.edc.spi.system.ServiceExtensionContext;

/** Fills the vault, which starts empty: each file of the folder `interop.secrets` is a secret of that name. */
public class Seed implements ServiceExtension {
    @Inject
    private Vault vault;

    @Override
    public void initialize(ServiceExtensionContext context) {
        for (File secret : new File(context.getConfig().getString("interop.secrets")).listFiles()) {
            try {
                vault.storeSecret(secret.getName(), Files.readString(secret.toPath()));
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
        }
    }
}

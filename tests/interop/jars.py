"""The jars of a real Eclipse connector (EDC) and its wallet, fetched by Maven and kept in `build/interop`.

The newest release that its registry has whole is 0.15.1. What that release lacks is taken from the last
one that has it: the proxy that serves pulled data, and the store of data addresses.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

HERE: Final = Path(__file__).parent
BUILD: Final = HERE.parents[1] / "build" / "interop"
GROUP: Final = "org.eclipse.edc"
RELEASE: Final = "0.15.1"
EXTENSION: Final = "META-INF/services/org.eclipse.edc.spi.system.ServiceExtension"


class NotHereError(Exception):
    """What a real connector needs cannot be had on this machine."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """A runtime as it is put together: its artifacts, and the extensions of ours in `java/interop`."""

    name: str
    artifacts: tuple[str, ...]
    """Each `artifact` or `artifact:version`; with `!` behind it, without what it depends on; another
    group's with the group and a slash before it."""
    managed: tuple[str, ...] = ("edr-cache-api:0.14.0",)
    """Versions of what others depend on."""
    without: tuple[str, ...] = ()
    """What others depend on and the registry does not have."""
    extensions: tuple[str, ...] = ("Seed",)


_PLANE: Final = (
    "control-plane-api-client", "data-plane-core", "data-plane-http", "data-plane-iam",
    "data-plane-self-registration", "data-plane-signaling-api", "data-plane-signaling-client",
    "data-plane-public-api-v2:0.13.0!",
)  # fmt: skip
MOCK: Final = Mixture("mock", ("controlplane-base-bom", "iam-mock", *_PLANE))
"""Control plane and HTTP data plane, with EDC's mock identity."""

DURABLE: Final = Mixture(
    "durable",
    (
        *MOCK.artifacts, "controlplane-feature-sql-bom", "dataplane-feature-sql-bom",
        "org.postgresql/postgresql:42.7.4",
    ),
)  # fmt: skip
"""The same, keeping every state in PostgreSQL: what survives its own end, as what is in memory does not."""

DCP: Final = Mixture(
    "dcp",
    ("controlplane-dcp-bom", *_PLANE),
    without=("decentralized-claims-sts-remote-client",),
    extensions=("Seed", "TokenService", "Scopes"),
)
"""The same with the identity of the Decentralized Claims Protocol."""

_JACKSON: Final = "com.fasterxml.jackson."
IDENTITY_HUB: Final = Mixture(
    "identityhub",
    ("identityhub-bom",),
    managed=(  # its poms name 2.20, which the registry has in part only
        f"{_JACKSON}core/jackson-core:2.20.1",
        f"{_JACKSON}core/jackson-databind:2.20.1",
        f"{_JACKSON}datatype/jackson-datatype-jsr310:2.20.1",
        f"{_JACKSON}datatype/jackson-datatype-jakarta-jsonp:2.20.1",
    ),
    extensions=("Holder",),
)
"""No connector: the wallet of one, with its token service and its credential service."""


def classpath(mixture: Mixture) -> str:
    """Everything that a runtime of this mixture is started from; fetched and compiled where it is not yet."""
    for tool, package in (("java", "openjdk-17-jdk-headless"), ("javac", "openjdk-17-jdk-headless")):
        if shutil.which(tool) is None:
            raise NotHereError(f"there is no {tool}: apt-get install {package}")
    with alone():
        jars = _fetched(mixture)
        classes = _compiled(mixture, jars)
    return f"{classes}:{jars}/*"


def key_folder() -> Path:
    """A folder with a pair of keys for the tokens of a data plane; made once."""
    folder = BUILD / "secrets"
    if not (folder / "public-key").exists():
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "private-key").write_bytes(private)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (folder / "public-key").write_bytes(public)
    return folder


@contextmanager
def alone() -> Iterator[None]:
    """Two at once would fetch into one folder."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetched(mixture: Mixture) -> Path:
    """The jars; a download that broke off leaves nothing behind that looks whole."""
    jars = BUILD / mixture.name / "jars"
    if jars.is_dir():
        return jars
    if shutil.which("mvn") is None:
        raise NotHereError("there is no Maven to fetch an EDC with: apt-get install maven")
    pom, coming = BUILD / mixture.name / "pom.xml", jars.with_suffix(".coming")
    shutil.rmtree(coming, ignore_errors=True)
    pom.parent.mkdir(parents=True, exist_ok=True)
    pom.write_text(_pom(mixture), "utf-8")
    print(f"Fetching EDC {RELEASE} ({mixture.name}, some 36 MB)", flush=True)
    fetched = subprocess.run(
        ["mvn", "-B", "-q", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={coming}",
         "-DincludeScope=runtime"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if fetched.returncode != 0:
        raise NotHereError(f"Maven could not fetch EDC {RELEASE}: {(fetched.stdout + fetched.stderr)[:500]}")
    coming.rename(jars)
    return jars


def _compiled(mixture: Mixture, jars: Path) -> Path:
    """Our extensions, compiled and named where a runtime looks for them."""
    sources = [HERE / "java" / "interop" / f"{name}.java" for name in mixture.extensions]
    classes = BUILD / mixture.name / "classes"
    named = classes / EXTENSION
    if named.exists() and all(source.stat().st_mtime < named.stat().st_mtime for source in sources):
        return classes
    named.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["javac", "-cp", f"{jars}/*", "-d", classes, *sources], check=True)
    named.write_text("".join(f"interop.{name}\n" for name in mixture.extensions))
    os.utime(named)
    return classes


def _pom(mixture: Mixture) -> str:
    managed = "".join(_dependency(artifact, ()) for artifact in mixture.managed)
    wanted = "".join(_dependency(a, mixture.without) for a in mixture.artifacts)
    return f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>entrepot</groupId><artifactId>interop-{mixture.name}</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencyManagement><dependencies>{managed}</dependencies></dependencyManagement>
  <dependencies>{wanted}
    <dependency>
      <groupId>org.eclipse.parsson</groupId><artifactId>parsson</artifactId><version>1.1.7</version>
    </dependency>
  </dependencies>
</project>
"""


def _dependency(artifact: str, without: tuple[str, ...]) -> str:
    named, _, version = artifact.rstrip("!").partition(":")
    group, name = f"{GROUP}/{named}".split("/")[-2:]
    # Poms of EDC name this parent pom as a jar, and Maven fails for want of it.
    barred = [("org.eclipse.jetty.websocket", "jetty-websocket"), *((GROUP, other) for other in without)]
    if artifact.endswith("!"):
        barred = [("*", "*")]
    exclusions = "".join(
        f"<exclusion><groupId>{theirs}</groupId><artifactId>{other}</artifactId></exclusion>"
        for theirs, other in barred
    )
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version or RELEASE}</version><exclusions>{exclusions}</exclusions></dependency>"
    )

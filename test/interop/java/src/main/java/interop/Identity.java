package interop;

import io.spiffe.bundle.BundleSource;
import io.spiffe.bundle.x509bundle.X509Bundle;
import io.spiffe.bundle.x509bundle.X509BundleSet;
import io.spiffe.provider.SpiffeKeyManager;
import io.spiffe.provider.SpiffeTrustManager;
import io.spiffe.spiffeid.SpiffeId;
import io.spiffe.spiffeid.TrustDomain;
import io.spiffe.workloadapi.DefaultX509Source;
import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedKeyManager;

/** Who this side is, and whose bundles it holds. */
record Identity(X509ExtendedKeyManager own, BundleSource<X509Bundle> bundles) {
  private static final Map<String, DefaultX509Source> SOURCES = new HashMap<>();

  /** The address of a Workload API, or a folder with chain.pem and key.pem beside the folder of the bundles. */
  static Identity open(String where) throws Exception {
    if (!where.startsWith("unix:")) return read(Path.of(where));
    DefaultX509Source source = SOURCES.get(where);
    if (source == null) SOURCES.put(where, source = Interop.open(where));
    return new Identity(new SpiffeKeyManager(source), source);
  }

  private static Identity read(Path folder) throws Exception {
    var stream = new ByteArrayInputStream(Files.readAllBytes(folder.resolve("chain.pem")));
    var chain = CertificateFactory.getInstance("X.509").generateCertificates(stream).toArray(X509Certificate[]::new);
    List<X509Bundle> bundles = new ArrayList<>();
    try (var files = Files.newDirectoryStream(folder.resolveSibling("bundles"), "*.pem")) {
      for (Path file : files) {
        String name = file.getFileName().toString().replaceFirst("\\.pem$", "");
        bundles.add(X509Bundle.load(TrustDomain.parse(name), file));
      }
    }
    return new Identity(new FilesKeyManager(chain, readKey(folder.resolve("key.pem"))), X509BundleSet.of(bundles));
  }

  private static PrivateKey readKey(Path file) throws Exception {
    String base64 = Files.readString(file).replaceAll("-----[^-]+-----|\\s", "");
    return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64)));
  }

  /** TLS that presents this identity and takes only peers that are `wanted`. */
  SSLContext context(String wanted) throws Exception {
    SSLContext context = SSLContext.getInstance("TLSv1.3");
    var trust = new SpiffeTrustManager(bundles, () -> Set.of(SpiffeId.parse(wanted)));
    context.init(new KeyManager[] {own}, new TrustManager[] {trust}, null);
    return context;
  }
}

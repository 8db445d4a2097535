package interop;

import io.spiffe.bundle.x509bundle.X509Bundle;
import io.spiffe.provider.SpiffeSslContextFactory;
import io.spiffe.provider.SpiffeSslContextFactory.SslContextOptions;
import io.spiffe.spiffeid.SpiffeId;
import io.spiffe.svid.jwtsvid.JwtSvid;
import io.spiffe.svid.x509svid.X509Svid;
import io.spiffe.workloadapi.DefaultJwtSource;
import io.spiffe.workloadapi.DefaultWorkloadApiClient;
import io.spiffe.workloadapi.DefaultX509Source;
import io.spiffe.workloadapi.JwtSourceOptions;
import io.spiffe.workloadapi.Watcher;
import io.spiffe.workloadapi.X509Context;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Collections;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;

/** What a Java program on java-spiffe does with the workload socket. */
public final class Interop {
  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "x509-source" -> x509Source(args[1]);
      case "jwt-source" -> jwtSource(args[1], args[2]);
      case "mtls" -> mutualTls(args[1]);
      case "peer" -> Peer.run();
      case "watch-x509" -> watch(args[1], Integer.parseInt(args[2]));
      default -> throw new IllegalArgumentException(args[0]);
    }
    System.exit(0);
  }

  static DefaultX509Source open(String address) throws Exception {
    return DefaultX509Source.newSource(
        DefaultX509Source.X509SourceOptions.builder().spiffeSocketPath(address).initTimeout(Duration.ofSeconds(20)).build());
  }

  private static void say(String format, Object... values) {
    System.out.printf(format + "%n", values);
    System.out.flush();
  }

  private static void x509Source(String address) throws Exception {
    try (var source = open(address)) {
      X509Svid svid = source.getX509Svid();
      X509Bundle bundle = source.getBundleForTrustDomain(svid.getSpiffeId().getTrustDomain());
      say("{\"spiffeId\":\"%s\",\"authorities\":%d}", svid.getSpiffeId(), bundle.getX509Authorities().size());
    }
  }

  private static void jwtSource(String address, String audience) throws Exception {
    var options = JwtSourceOptions.builder().spiffeSocketPath(address).initTimeout(Duration.ofSeconds(20)).build();
    try (var source = DefaultJwtSource.newSource(options)) {
      JwtSvid svid = source.fetchJwtSvid(audience);
      JwtSvid parsed = JwtSvid.parseAndValidate(svid.getToken(), source, Set.of(audience));
      say("{\"spiffeId\":\"%s\",\"issuedAt\":%d}", parsed.getSpiffeId(), svid.getIssuedAt().getTime());
    }
  }

  private static void mutualTls(String address) throws Exception {
    try (var source = open(address)) {
      SpiffeId own = source.getX509Svid().getSpiffeId();
      SSLContext context =
          SpiffeSslContextFactory.getSslContext(
              SslContextOptions.builder().x509Source(source).acceptedSpiffeIdsSupplier(() -> Collections.singleton(own)).build());
      try (SSLServerSocket server =
          (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
        server.setNeedClientAuth(true);
        Thread thread =
            new Thread(
                () -> {
                  try (SSLSocket socket = (SSLSocket) server.accept();
                      OutputStream out = socket.getOutputStream()) {
                    out.write(42);
                  } catch (Exception error) {
                    error.printStackTrace();
                  }
                });
        thread.start();
        try (SSLSocket client =
                (SSLSocket) context.getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), server.getLocalPort());
            InputStream in = client.getInputStream()) {
          if (in.read() != 42) throw new IllegalStateException("no answer over mutual TLS");
        }
        thread.join(5000);
      }
      say("{\"peer\":\"%s\"}", own);
    }
  }

  private static void watch(String address, int count) throws Exception {
    Set<String> seen = ConcurrentHashMap.newKeySet();
    CountDownLatch done = new CountDownLatch(count);
    var options = DefaultWorkloadApiClient.ClientOptions.builder().spiffeSocketPath(address).build();
    try (var client = DefaultWorkloadApiClient.newClient(options)) {
      client.watchX509Context(
          new Watcher<X509Context>() {
            @Override
            public void onUpdate(X509Context update) {
              String serial = update.getDefaultSvid().getChain().get(0).getSerialNumber().toString();
              say("{\"serial\":\"%s\"}", serial);
              if (seen.add(serial)) done.countDown();
            }

            @Override
            public void onError(Throwable error) {
              say("{\"error\":\"%s\"}", error.getMessage());
            }
          });
      if (!done.await(150, TimeUnit.SECONDS)) throw new IllegalStateException("only " + seen.size() + " serial numbers seen");
    }
  }
}

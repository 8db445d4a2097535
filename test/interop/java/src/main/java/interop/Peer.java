package interop;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;

/**
 * One end of connections, on java-spiffe-provider, told by lines on its standard input.
 *
 * <pre>
 * dial tls ADDRESS WANTED IDENTITY   connects, and says who the server took it for
 * serve tls WANTED IDENTITY          waits for one client, and says where
 * outcome                            what came of that client
 * </pre>
 */
final class Peer {
  private static final int TIMEOUT_MS = 10_000;
  private static final int SUBJECT_URI = 6;

  private Peer() {}

  static void run() throws Exception {
    CompletableFuture<String> outcome = new CompletableFuture<>();
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ");
      switch (words[0]) {
        case "dial" -> say(dial(words[2], Identity.open(words[4]).context(words[3])));
        case "serve" -> {
          SSLContext context = Identity.open(words[3]).context(words[2]);
          var server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0, 1, InetAddress.getLoopbackAddress());
          server.setNeedClientAuth(true);
          server.setSoTimeout(TIMEOUT_MS);
          CompletableFuture<String> next = outcome = new CompletableFuture<>();
          new Thread(() -> next.complete(accept(server))).start();
          say("{\"address\":\"127.0.0.1:" + server.getLocalPort() + "\"}");
        }
        case "outcome" -> say(outcome.get(TIMEOUT_MS, TimeUnit.MILLISECONDS));
        default -> throw new IllegalArgumentException(line);
      }
    }
  }

  private static String dial(String address, SSLContext context) {
    int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    try (var socket = (SSLSocket) context.getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), port)) {
      socket.setSoTimeout(TIMEOUT_MS);
      String greeting = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return greeting.isEmpty() ? fact("refused", "closed without a greeting") : fact("peer", greeting);
    } catch (Exception refused) {
      return fact("refused", refused.toString());
    }
  }

  private static String accept(SSLServerSocket server) {
    try (server;
        var socket = (SSLSocket) server.accept()) {
      socket.setSoTimeout(TIMEOUT_MS);
      socket.startHandshake();
      String peer = idOf(socket.getSession());
      socket.getOutputStream().write(peer.getBytes(StandardCharsets.UTF_8));
      return fact("peer", peer);
    } catch (Exception refused) {
      return fact("refused", refused.toString());
    }
  }

  private static String idOf(SSLSession session) throws Exception {
    var leaf = (X509Certificate) session.getPeerCertificates()[0];
    for (List<?> name : leaf.getSubjectAlternativeNames()) if (name.get(0).equals(SUBJECT_URI)) return (String) name.get(1);
    throw new IllegalStateException("a peer without id");
  }

  private static String fact(String name, String text) {
    return "{\"" + name + "\":\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\s", " ") + "\"}";
  }

  private static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }
}

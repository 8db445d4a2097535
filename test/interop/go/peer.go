package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffegrpc/grpccredentials"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"sallyport.test/command"
)

// What one side of a connection goes by: who it is, and who the other must be.
type side struct {
	identity identity
	wanted   tlsconfig.Authorizer
}

// What came of a connection: the peer as it was verified, or why there is none.
func outcomeOf(peer string, err error) map[string]any {
	if err != nil {
		return map[string]any{"refused": err.Error()}
	}
	return map[string]any{"peer": peer}
}

// peer: one end of connections, told by lines on its standard input.
//
//	dial PROTOCOL ADDRESS WANTED IDENTITY   connects, and says who the server took it for
//	serve PROTOCOL WANTED IDENTITY          waits for one client, and says where
//	outcome                                 what came of that client
//
// PROTOCOL is tls, https, h2 or grpc.
func peer(_ []string) error {
	outcomes := make(chan map[string]any, 16)
	stop := func() {}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if words[0] == "outcome" {
			command.Say(<-outcomes)
			stop()
			continue
		}
		wanted, identity := words[len(words)-2], words[len(words)-1]
		own, err := openIdentity(identity)
		if err != nil {
			return err
		}
		as := side{own, tlsconfig.AuthorizeID(spiffeid.RequireFromString(wanted))}
		if words[0] == "dial" {
			ctx, cancel := within(10)
			command.Say(outcomeOf(dial(ctx, words[1], words[2], as)))
			cancel()
			continue
		}
		listener, err := listen()
		if err != nil {
			return err
		}
		outcomes = make(chan map[string]any, 16)
		tell := func(peer string, err error) {
			select {
			case outcomes <- outcomeOf(peer, err):
			default: // the first ones count
			}
		}
		stop = serve(listener, words[1], as, tell)
		command.Say(map[string]any{"address": listener.Addr().String()})
	}
	return nil
}

func dial(ctx context.Context, protocol, address string, as side) (string, error) {
	switch protocol {
	case "tls":
		return dialTLS(ctx, address, as)
	case "grpc":
		return dialGRPC(ctx, address, as)
	}
	return dialHTTP(ctx, protocol, address, as)
}

func dialTLS(ctx context.Context, address string, as side) (string, error) {
	conn, err := spiffetls.DialWithMode(ctx, "tcp", address, spiffetls.MTLSClientWithRawConfig(as.wanted, as.identity, as.identity))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	greeting, err := io.ReadAll(conn)
	if err == nil && len(greeting) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return string(greeting), err
}

// httpProtocols: only what the test is about, so that an agreement on the other one is a failure.
func httpProtocols(protocol string) *http.Protocols {
	var protocols http.Protocols
	protocols.SetHTTP1(protocol == "https")
	protocols.SetHTTP2(protocol == "h2")
	return &protocols
}

func dialHTTP(ctx context.Context, protocol, address string, as side) (string, error) {
	transport := &http.Transport{
		TLSClientConfig: tlsconfig.MTLSClientConfig(as.identity, as.identity, as.wanted),
		Protocols:       httpProtocols(protocol),
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/", nil)
	if err != nil {
		return "", err
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	command.Expect((answer.ProtoMajor == 2) == (protocol == "h2"), "%s, got %s", protocol, answer.Proto)
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

func dialGRPC(ctx context.Context, address string, as side) (string, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(grpccredentials.MTLSClientCredentials(as.identity, as.identity, as.wanted)))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	var header metadata.MD
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.Header(&header))
	if err != nil {
		return "", err
	}
	command.Expect(answer.Status == grpc_health_v1.HealthCheckResponse_SERVING, "SERVING, got %v", answer.Status)
	return strings.Join(header.Get("peer"), " "), nil
}

// serve accepts until it is stopped, and tells of each client.
func serve(listener net.Listener, protocol string, as side, tell func(string, error)) (stop func()) {
	switch protocol {
	case "tls":
		go serveTLS(listener, as, tell)
		return func() { listener.Close() }
	case "grpc":
		return serveGRPC(listener, as, tell)
	}
	return serveHTTP(listener, protocol, as, tell)
}

func serveTLS(inner net.Listener, as side, tell func(string, error)) {
	ctx, cancel := within(60)
	defer cancel()
	listener, err := spiffetls.NewListenerWithMode(ctx, inner, spiffetls.MTLSServerWithRawConfig(as.wanted, as.identity, as.identity))
	if err != nil {
		tell("", err)
		return
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if err := conn.(interface{ HandshakeContext(context.Context) error }).HandshakeContext(ctx); err != nil {
			tell("", err)
		} else if id, err := spiffetls.PeerIDFromConn(conn); err != nil {
			tell("", err)
		} else {
			_, _ = fmt.Fprint(conn, id)
			tell(id.String(), nil)
		}
		conn.Close()
	}
}

func serveHTTP(listener net.Listener, protocol string, as side, tell func(string, error)) func() {
	server := &http.Server{
		TLSConfig: tlsconfig.MTLSServerConfig(as.identity, as.identity, as.wanted),
		Protocols: httpProtocols(protocol),
		ErrorLog:  refusalLog(tell),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, err := spiffetls.PeerIDFromConnectionState(*r.TLS)
			fmt.Fprint(w, id)
			tell(id.String(), err)
		}),
		// What ends without a request or a complaint was refused by the other side.
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				tell("", errors.New("closed without a request"))
			}
		},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return func() { server.Close() }
}

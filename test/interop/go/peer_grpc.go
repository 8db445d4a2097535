package main

import (
	"context"
	"errors"
	"log"
	"net"

	"github.com/spiffe/go-spiffe/v2/spiffegrpc/grpccredentials"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"sallyport.test/command"
)

// tellingCredentials say why a handshake has failed, which grpc-go keeps to itself.
type tellingCredentials struct {
	credentials.TransportCredentials
	tell func(string, error)
}

func (c tellingCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		c.tell("", err)
		return nil, nil, err
	}
	return tellingConn{conn, c.tell}, info, nil
}

func (c tellingCredentials) Clone() credentials.TransportCredentials {
	return tellingCredentials{c.TransportCredentials.Clone(), c.tell}
}

type tellingConn struct {
	net.Conn
	tell func(string, error)
}

func (c tellingConn) Close() error {
	c.tell("", errors.New("closed without a request"))
	return c.Conn.Close()
}

func serveGRPC(listener net.Listener, as side, tell func(string, error)) func() {
	inner := grpccredentials.MTLSServerCredentials(as.identity, as.identity, as.wanted)
	tellPeer := func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		id, isKnown := grpccredentials.PeerIDFromContext(ctx)
		command.Expect(isKnown, "a call to have a peer")
		tell(id.String(), nil)
		_ = grpc.SetHeader(ctx, metadata.Pairs("peer", id.String()))
		return handle(ctx, request)
	}
	server := grpc.NewServer(grpc.Creds(tellingCredentials{inner, tell}), grpc.UnaryInterceptor(tellPeer))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(listener) }()
	return server.Stop
}

type refusalWriter struct{ tell func(string, error) }

func (w refusalWriter) Write(line []byte) (int, error) {
	w.tell("", errors.New(string(line)))
	return len(line), nil
}

// refusalLog takes what net/http says about handshakes.
func refusalLog(tell func(string, error)) *log.Logger { return log.New(refusalWriter{tell}, "", 0) }

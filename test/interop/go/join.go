package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"sallyport.test/command"
)

func newRequest(uri string) ([]byte, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.CertificateRequest{}
	if uri != "" {
		parsed, err := url.Parse(uri)
		if err != nil {
			return nil, nil, err
		}
		template.URIs = []*url.URL{parsed}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	return csr, key, err
}

// join SERVER TRUST-DOMAIN BUNDLE-PEM TOKEN-FILE WORKLOAD-PATH: attests as SPIRE's agent does, renews, syncs and signs.
func join(args []string) error {
	ctx, cancel := within(60)
	defer cancel()
	td := spiffeid.RequireTrustDomainFromString(args[1])
	bundle, err := x509bundle.Load(td, args[2])
	if err != nil {
		return err
	}
	tokenBytes, err := os.ReadFile(args[3])
	if err != nil {
		return err
	}
	serverID := spiffeid.RequireFromPath(td, "/spire/server")
	anonymous, err := grpc.NewClient(args[0], grpc.WithTransportCredentials(credentials.NewTLS(tlsconfig.TLSClientConfig(bundle, tlsconfig.AuthorizeID(serverID)))))
	if err != nil {
		return err
	}
	defer anonymous.Close()

	_, err = entryv1.NewEntryClient(anonymous).GetAuthorizedEntries(ctx, &entryv1.GetAuthorizedEntriesRequest{})
	command.Expect(status.Code(err) == codes.PermissionDenied || status.Code(err) == codes.Unauthenticated, "a caller without SVID to be refused, got %v", err)

	csr, key, err := newRequest("")
	if err != nil {
		return err
	}
	result, err := attest(ctx, anonymous, string(tokenBytes), csr)
	if err != nil {
		return err
	}
	_, err = attest(ctx, anonymous, string(tokenBytes), csr)
	command.Expect(status.Code(err) == codes.InvalidArgument, "the second use of a token to be refused, got %v", err)
	if _, err := bundlev1.NewBundleClient(anonymous).GetBundle(ctx, &bundlev1.GetBundleRequest{}); err != nil {
		return err
	}

	agent, err := dialAs(args[0], bundle, serverID, result.Svid, key)
	if err != nil {
		return err
	}
	defer agent.Close()
	renewCsr, newKey, err := newRequest("")
	if err != nil {
		return err
	}
	renewed, err := agentv1.NewAgentClient(agent).RenewAgent(ctx, &agentv1.RenewAgentRequest{Params: &agentv1.AgentX509SVIDParams{Csr: renewCsr}})
	if err != nil {
		return err
	}
	if _, err := agentv1.NewAgentClient(agent).PostStatus(ctx, &agentv1.PostStatusRequest{AgentVersion: "interop"}); err != nil {
		return fmt.Errorf("the old SVID before the new one is used: %w", err)
	}
	next, err := dialAs(args[0], bundle, serverID, renewed.Svid, newKey)
	if err != nil {
		return err
	}
	defer next.Close()
	entries, err := syncEntries(ctx, next)
	if err != nil {
		return err
	}
	_, err = agentv1.NewAgentClient(agent).PostStatus(ctx, &agentv1.PostStatusRequest{})
	command.Expect(status.Code(err) == codes.PermissionDenied, "the superseded SVID to be refused, got %v", err)
	for _, detail := range status.Convert(err).Details() {
		if denied, ok := detail.(*types.PermissionDeniedDetails); ok {
			command.Expect(denied.Reason == types.PermissionDeniedDetails_AGENT_NOT_ACTIVE, "NOT_ACTIVE, got %v", denied.Reason)
			command.Say(map[string]any{"detail": denied.Reason.String()})
		}
	}
	return useEntries(ctx, next, entries, args[4], bundle)
}

func attest(ctx context.Context, conn *grpc.ClientConn, token string, csr []byte) (*agentv1.AttestAgentResponse_Result, error) {
	stream, err := agentv1.NewAgentClient(conn).AttestAgent(ctx)
	if err != nil {
		return nil, err
	}
	params := &agentv1.AttestAgentRequest_Params{
		Data:   &types.AttestationData{Type: "join_token", Payload: []byte(token)},
		Params: &agentv1.AgentX509SVIDParams{Csr: csr},
	}
	if err := stream.Send(&agentv1.AttestAgentRequest{Step: &agentv1.AttestAgentRequest_Params_{Params: params}}); err != nil {
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if answer.GetResult() == nil {
		return nil, errors.New("an unexpected challenge")
	}
	command.Say(map[string]any{"agent": answer.GetResult().Svid.Id.Path, "reattestable": answer.GetResult().Reattestable})
	return answer.GetResult(), stream.CloseSend()
}

func dialAs(server string, bundle *x509bundle.Bundle, serverID spiffeid.ID, svid *types.X509SVID, key crypto.Signer) (*grpc.ClientConn, error) {
	config := tlsconfig.TLSClientConfig(bundle, tlsconfig.AuthorizeID(serverID))
	config.Certificates = []tls.Certificate{{Certificate: svid.CertChain, PrivateKey: key}}
	return grpc.NewClient(server, grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

// syncEntries follows SPIRE's agent: ask with a mask, take full entries or revisions, then ask for what is missing.
func syncEntries(ctx context.Context, conn *grpc.ClientConn) ([]*types.Entry, error) {
	stream, err := entryv1.NewEntryClient(conn).SyncAuthorizedEntries(ctx)
	if err != nil {
		return nil, err
	}
	mask := &types.EntryMask{SpiffeId: true, Selectors: true, FederatesWith: true, Admin: true, Downstream: true, RevisionNumber: true, StoreSvid: true, Hint: true, CreatedAt: true}
	if err := stream.Send(&entryv1.SyncAuthorizedEntriesRequest{OutputMask: mask}); err != nil {
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if len(answer.EntryRevisions) == 0 {
		return answer.Entries, stream.CloseSend()
	}
	var ids []string
	for {
		for _, revision := range answer.EntryRevisions {
			command.Expect(revision.Id != "" && revision.CreatedAt != 0, "complete revisions")
			ids = append(ids, revision.Id)
		}
		if !answer.More {
			break
		}
		if answer, err = stream.Recv(); err != nil {
			return nil, err
		}
	}
	if err := stream.Send(&entryv1.SyncAuthorizedEntriesRequest{Ids: ids}); err != nil {
		return nil, err
	}
	var entries []*types.Entry
	for {
		if answer, err = stream.Recv(); err != nil {
			return nil, err
		}
		entries = append(entries, answer.Entries...)
		if !answer.More {
			return entries, stream.CloseSend()
		}
	}
}

func useEntries(ctx context.Context, conn *grpc.ClientConn, entries []*types.Entry, path string, bundle *x509bundle.Bundle) error {
	var own *types.Entry
	for _, entry := range entries {
		if entry.SpiffeId.Path == path {
			own = entry
		}
	}
	command.Expect(own != nil, "an entry %s among %d", path, len(entries))
	csr, _, err := newRequest("spiffe://" + own.SpiffeId.TrustDomain + "/not/mine")
	if err != nil {
		return err
	}
	params := []*svidv1.NewX509SVIDParams{{EntryId: own.Id, Csr: csr}, {EntryId: "missing", Csr: csr}, {EntryId: own.Id, Csr: []byte{0}}}
	signed, err := svidv1.NewSVIDClient(conn).BatchNewX509SVID(ctx, &svidv1.BatchNewX509SVIDRequest{Params: params})
	if err != nil {
		return err
	}
	want := []codes.Code{codes.OK, codes.NotFound, codes.InvalidArgument}
	command.Expect(len(signed.Results) == 3, "a result for each request")
	for i, result := range signed.Results {
		command.Expect(codes.Code(result.Status.Code) == want[i], "item %d to answer %v, got %v", i, want[i], result.Status)
	}
	leaf, err := x509.ParseCertificate(signed.Results[0].Svid.CertChain[0])
	if err != nil {
		return err
	}
	command.Expect(len(leaf.URIs) == 1 && leaf.URIs[0].Path == path, "the id of the entry and not of the CSR, got %v", leaf.URIs)
	token, err := svidv1.NewSVIDClient(conn).NewJWTSVID(ctx, &svidv1.NewJWTSVIDRequest{EntryId: own.Id, Audience: []string{"orders"}})
	if err != nil {
		return err
	}
	command.Expect(token.Svid.IssuedAt > 0 && token.Svid.ExpiresAt > token.Svid.IssuedAt, "times in order")
	_, err = svidv1.NewSVIDClient(conn).NewJWTSVID(ctx, &svidv1.NewJWTSVIDRequest{EntryId: "missing", Audience: []string{"orders"}})
	command.Expect(status.Code(err) == codes.NotFound, "a foreign entry to be NotFound, got %v", err)
	_, err = svidv1.NewSVIDClient(conn).MintX509SVID(ctx, &svidv1.MintX509SVIDRequest{Csr: csr})
	command.Expect(status.Code(err) == codes.PermissionDenied, "an agent to be refused minting, got %v", err)
	command.Say(map[string]any{"entries": len(entries), "signed": leaf.URIs[0].String(), "authorities": len(bundle.X509Authorities())})
	return nil
}

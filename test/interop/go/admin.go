package main

import (
	"context"
	"fmt"
	"net"
	"time"

	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	debugv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/debug/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"sallyport.test/command"
)

func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

func id(trustDomain, path string) *types.SPIFFEID {
	return &types.SPIFFEID{TrustDomain: trustDomain, Path: path}
}

// admin SOCKET TRUST-DOMAIN: what SPIRE's CLI does with a server's admin socket, good and bad.
func admin(args []string) error {
	ctx, cancel := within(60)
	defer cancel()
	conn, err := grpc.NewClient("unix:"+args[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	td := args[1]
	steps := []func(context.Context, *grpc.ClientConn, string) error{checkHealth, checkEntries, checkPaging, checkBundles, checkTokens, checkMinting}
	for _, step := range steps {
		if err := step(ctx, conn, td); err != nil {
			return err
		}
	}
	command.Say(map[string]any{"steps": len(steps)})
	return nil
}

func checkHealth(ctx context.Context, conn *grpc.ClientConn, _ string) error {
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	command.Expect(answer.Status == grpc_health_v1.HealthCheckResponse_SERVING, "health SERVING, got %v", answer.Status)
	_, err = debugv1.NewDebugClient(conn).GetInfo(ctx, &debugv1.GetInfoRequest{})
	command.Expect(status.Code(err) == codes.Unimplemented, "debug to be unimplemented, got %v", err)
	return nil
}

func checkEntries(ctx context.Context, conn *grpc.ClientConn, td string) error {
	client := entryv1.NewEntryClient(conn)
	good := &types.Entry{
		SpiffeId: id(td, "/go/admin/a"), ParentId: id(td, "/go/node"), X509SvidTtl: 600, Hint: "internal",
		Selectors: []*types.Selector{{Type: "unix", Value: "uid:1000"}, {Type: "unix", Value: "gid:1000"}}, DnsNames: []string{"a.internal"},
	}
	bad := &types.Entry{SpiffeId: id("another.test", "/x"), ParentId: id(td, "/go/node"), Selectors: good.Selectors}
	reserved := &types.Entry{SpiffeId: id(td, "/spire/agent/x"), ParentId: id(td, "/go/node"), Selectors: good.Selectors}
	none := &types.Entry{SpiffeId: id(td, "/go/admin/none"), ParentId: id(td, "/go/node")}
	created, err := client.BatchCreateEntry(ctx, &entryv1.BatchCreateEntryRequest{Entries: []*types.Entry{bad, good, reserved, none, good}})
	if err != nil {
		return err
	}
	want := []codes.Code{codes.InvalidArgument, codes.OK, codes.InvalidArgument, codes.InvalidArgument, codes.AlreadyExists}
	for i, result := range created.Results {
		command.Expect(codes.Code(result.Status.Code) == want[i], "create %d to answer %v, got %v", i, want[i], result.Status)
	}
	entry := created.Results[1].Entry
	command.Expect(created.Results[4].Entry.GetId() == entry.Id, "the duplicate to name the existing entry")

	entry.X509SvidTtl = 1200
	entry.Hint = "ignored by the mask"
	updated, err := client.BatchUpdateEntry(ctx, &entryv1.BatchUpdateEntryRequest{Entries: []*types.Entry{entry}, InputMask: &types.EntryMask{X509SvidTtl: true}, OutputMask: &types.EntryMask{X509SvidTtl: true, RevisionNumber: true, Hint: true}})
	if err != nil {
		return err
	}
	got := updated.Results[0].Entry
	command.Expect(got.X509SvidTtl == 1200 && got.Hint == "internal" && got.RevisionNumber == 1 && got.SpiffeId == nil, "a masked update, got %v", got)

	for _, filter := range []*entryv1.ListEntriesRequest_Filter{
		{BySpiffeId: id(td, "/go/admin/a")},
		{BySelectors: &types.SelectorMatch{Selectors: good.Selectors[:1], Match: types.SelectorMatch_MATCH_SUPERSET}, ByParentId: id(td, "/go/node")},
		{BySelectors: &types.SelectorMatch{Selectors: good.Selectors, Match: types.SelectorMatch_MATCH_EXACT}, ByParentId: id(td, "/go/node")},
	} {
		listed, err := client.ListEntries(ctx, &entryv1.ListEntriesRequest{Filter: filter})
		if err != nil {
			return err
		}
		command.Expect(len(listed.Entries) == 1 && listed.Entries[0].Id == entry.Id, "filter %v to find the entry, got %d", filter, len(listed.Entries))
	}
	_, err = client.ListEntries(ctx, &entryv1.ListEntriesRequest{Filter: &entryv1.ListEntriesRequest_Filter{BySelectors: &types.SelectorMatch{}}})
	command.Expect(status.Code(err) == codes.InvalidArgument, "an empty selector filter to be refused, got %v", err)
	_, err = client.GetEntry(ctx, &entryv1.GetEntryRequest{Id: "missing"})
	command.Expect(status.Code(err) == codes.NotFound, "a missing entry to be NotFound, got %v", err)

	deleted, err := client.BatchDeleteEntry(ctx, &entryv1.BatchDeleteEntryRequest{Ids: []string{"missing", entry.Id}})
	if err != nil {
		return err
	}
	command.Expect(codes.Code(deleted.Results[0].Status.Code) == codes.NotFound && deleted.Results[1].Status.Code == 0, "delete per item, got %v", deleted.Results)
	return nil
}

func checkPaging(ctx context.Context, conn *grpc.ClientConn, td string) error {
	client := entryv1.NewEntryClient(conn)
	var entries []*types.Entry
	for i := range 25 {
		entries = append(entries, &types.Entry{SpiffeId: id(td, fmt.Sprintf("/go/page/%d", i)), ParentId: id(td, "/go/pages"), Selectors: []*types.Selector{{Type: "unix", Value: fmt.Sprintf("uid:%d", i)}}})
	}
	created, err := client.BatchCreateEntry(ctx, &entryv1.BatchCreateEntryRequest{Entries: entries})
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	pages := 0
	for token := ""; ; pages++ {
		page, err := client.ListEntries(ctx, &entryv1.ListEntriesRequest{Filter: &entryv1.ListEntriesRequest_Filter{ByParentId: id(td, "/go/pages")}, PageSize: 10, PageToken: token})
		if err != nil {
			return err
		}
		for _, entry := range page.Entries {
			command.Expect(!seen[entry.Id], "each entry on one page only")
			seen[entry.Id] = true
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	command.Expect(len(seen) == 25 && pages <= 3, "25 entries on 3 pages, got %d", len(seen))
	count, err := client.CountEntries(ctx, &entryv1.CountEntriesRequest{Filter: &entryv1.CountEntriesRequest_Filter{ByParentId: id(td, "/go/pages")}})
	if err != nil {
		return err
	}
	command.Expect(count.Count == 25, "a count of 25, got %d", count.Count)
	var ids []string
	for _, result := range created.Results {
		ids = append(ids, result.Entry.Id)
	}
	_, err = client.BatchDeleteEntry(ctx, &entryv1.BatchDeleteEntryRequest{Ids: ids})
	return err
}

func checkBundles(ctx context.Context, conn *grpc.ClientConn, td string) error {
	client := bundlev1.NewBundleClient(conn)
	own, err := client.GetBundle(ctx, &bundlev1.GetBundleRequest{})
	if err != nil {
		return err
	}
	command.Expect(own.TrustDomain == td && len(own.X509Authorities) >= 1 && len(own.JwtAuthorities) >= 1, "the own bundle, got %v", own)
	foreign := &types.Bundle{TrustDomain: "partner.test", X509Authorities: own.X509Authorities, RefreshHint: 300, SequenceNumber: 7}
	set, err := client.BatchSetFederatedBundle(ctx, &bundlev1.BatchSetFederatedBundleRequest{Bundle: []*types.Bundle{foreign, {TrustDomain: td}}})
	if err != nil {
		return err
	}
	command.Expect(set.Results[0].Status.Code == 0 && codes.Code(set.Results[1].Status.Code) == codes.InvalidArgument, "set per item, got %v", set.Results)
	again, err := client.BatchCreateFederatedBundle(ctx, &bundlev1.BatchCreateFederatedBundleRequest{Bundle: []*types.Bundle{foreign}})
	if err != nil {
		return err
	}
	command.Expect(codes.Code(again.Results[0].Status.Code) == codes.AlreadyExists, "AlreadyExists, got %v", again.Results[0].Status)
	entries := entryv1.NewEntryClient(conn)
	created, err := entries.BatchCreateEntry(ctx, &entryv1.BatchCreateEntryRequest{Entries: []*types.Entry{{
		SpiffeId: id(td, "/go/federated"), ParentId: id(td, "/go/node"), Selectors: []*types.Selector{{Type: "unix", Value: "uid:7"}}, FederatesWith: []string{"partner.test"},
	}}})
	if err != nil {
		return err
	}
	command.Expect(created.Results[0].Status.Code == 0, "an entry that federates, got %v", created.Results[0].Status)
	restricted, err := client.BatchDeleteFederatedBundle(ctx, &bundlev1.BatchDeleteFederatedBundleRequest{TrustDomains: []string{"partner.test"}})
	if err != nil {
		return err
	}
	command.Expect(codes.Code(restricted.Results[0].Status.Code) == codes.FailedPrecondition, "restrict to refuse, got %v", restricted.Results[0].Status)
	dissociated, err := client.BatchDeleteFederatedBundle(ctx, &bundlev1.BatchDeleteFederatedBundleRequest{TrustDomains: []string{"partner.test"}, Mode: bundlev1.BatchDeleteFederatedBundleRequest_DISSOCIATE})
	if err != nil {
		return err
	}
	command.Expect(dissociated.Results[0].Status.Code == 0, "dissociate, got %v", dissociated.Results[0].Status)
	entry, err := entries.GetEntry(ctx, &entryv1.GetEntryRequest{Id: created.Results[0].Entry.Id})
	if err != nil {
		return err
	}
	command.Expect(len(entry.FederatesWith) == 0, "the entry without its partner, got %v", entry.FederatesWith)
	_, err = entries.BatchDeleteEntry(ctx, &entryv1.BatchDeleteEntryRequest{Ids: []string{entry.Id}})
	return err
}

func checkTokens(ctx context.Context, conn *grpc.ClientConn, td string) error {
	client := agentv1.NewAgentClient(conn)
	token, err := client.CreateJoinToken(ctx, &agentv1.CreateJoinTokenRequest{Ttl: 600, AgentId: id(td, "/go/token-node")})
	if err != nil {
		return err
	}
	command.Expect(token.Value != "" && token.ExpiresAt > time.Now().Unix(), "a token, got an empty one")
	_, err = client.CreateJoinToken(ctx, &agentv1.CreateJoinTokenRequest{Ttl: 0})
	command.Expect(status.Code(err) == codes.InvalidArgument, "a ttl of 0 to be refused, got %v", err)
	_, err = client.GetAgent(ctx, &agentv1.GetAgentRequest{Id: id(td, "/spire/agent/join_token/missing")})
	command.Expect(status.Code(err) == codes.NotFound, "a missing agent to be NotFound, got %v", err)
	_, err = client.ListAgents(ctx, &agentv1.ListAgentsRequest{Filter: &agentv1.ListAgentsRequest_Filter{ByExpiresBefore: "not a date"}})
	command.Expect(status.Code(err) == codes.InvalidArgument, "a malformed date to be refused, got %v", err)
	_, err = client.ListAgents(ctx, &agentv1.ListAgentsRequest{Filter: &agentv1.ListAgentsRequest_Filter{ByExpiresBefore: time.Now().Format("2006-01-02 15:04:05 -0700 -07")}})
	if err != nil {
		return err
	}
	_, err = client.RenewAgent(ctx, &agentv1.RenewAgentRequest{})
	command.Expect(status.Code(err) == codes.PermissionDenied, "an admin to be refused what only agents may, got %v", err)
	return nil
}

func checkMinting(ctx context.Context, conn *grpc.ClientConn, td string) error {
	client := svidv1.NewSVIDClient(conn)
	csr, _, err := newRequest("spiffe://" + td + "/go/minted")
	if err != nil {
		return err
	}
	minted, err := client.MintX509SVID(ctx, &svidv1.MintX509SVIDRequest{Csr: csr, Ttl: 300})
	if err != nil {
		return err
	}
	command.Expect(minted.Svid.Id.Path == "/go/minted" && len(minted.Svid.CertChain) >= 1, "a minted SVID, got %v", minted.Svid.Id)
	_, err = client.MintX509SVID(ctx, &svidv1.MintX509SVIDRequest{Csr: []byte{1, 2, 3}})
	command.Expect(status.Code(err) == codes.InvalidArgument, "a malformed CSR to be refused, got %v", err)
	token, err := client.MintJWTSVID(ctx, &svidv1.MintJWTSVIDRequest{Id: id(td, "/go/minted"), Audience: []string{"orders"}})
	if err != nil {
		return err
	}
	command.Expect(token.Svid.Token != "" && token.Svid.ExpiresAt > token.Svid.IssuedAt && token.Svid.IssuedAt > 0, "a minted token with its times")
	_, err = client.MintJWTSVID(ctx, &svidv1.MintJWTSVIDRequest{Id: id(td, "/go/minted")})
	command.Expect(status.Code(err) == codes.InvalidArgument, "a token without audience to be refused, got %v", err)
	return nil
}

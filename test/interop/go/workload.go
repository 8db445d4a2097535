package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"sallyport.test/command"
)

func within(seconds int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second)
}

// fetch-x509 ADDRESS
func fetchX509(args []string) error {
	ctx, cancel := within(20)
	defer cancel()
	context, err := workloadapi.FetchX509Context(ctx, workloadapi.WithAddr(args[0]))
	if err != nil {
		return err
	}
	for _, svid := range context.SVIDs {
		bundle, err := context.Bundles.GetX509BundleForTrustDomain(svid.ID.TrustDomain())
		if err != nil {
			return err
		}
		command.Say(map[string]any{
			"spiffeId": svid.ID.String(), "hint": svid.Hint, "serial": svid.Certificates[0].SerialNumber.String(),
			"chain": len(svid.Certificates), "authorities": len(bundle.X509Authorities()), "notAfter": svid.Certificates[0].NotAfter,
			"dns": svid.Certificates[0].DNSNames,
		})
	}
	return nil
}

type watcher struct {
	updates chan *workloadapi.X509Context
}

func (w *watcher) OnX509ContextUpdate(c *workloadapi.X509Context) { w.updates <- c }
func (w *watcher) OnX509ContextWatchError(err error) {
	command.Say(map[string]any{"error": err.Error()})
}

// watch-x509 ADDRESS COUNT: prints each update; ends after COUNT different serial numbers.
func watchX509(args []string) error {
	ctx, cancel := within(120)
	defer cancel()
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	w := &watcher{updates: make(chan *workloadapi.X509Context, 16)}
	go func() { _ = workloadapi.WatchX509Context(ctx, w, workloadapi.WithAddr(args[0])) }()
	seen := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d serial numbers seen", len(seen), count)
		case update := <-w.updates:
			svid := update.DefaultSVID()
			bundle, err := update.Bundles.GetX509BundleForTrustDomain(svid.ID.TrustDomain())
			if err != nil {
				return err
			}
			seen[svid.Certificates[0].SerialNumber.String()] = true
			command.Say(map[string]any{"serial": svid.Certificates[0].SerialNumber.String(), "authorities": len(bundle.X509Authorities()), "seen": len(seen)})
			if len(seen) >= count {
				return nil
			}
		}
	}
}

// x509-source ADDRESS
func x509Source(args []string) error {
	ctx, cancel := within(20)
	defer cancel()
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr(args[0])))
	if err != nil {
		return err
	}
	defer source.Close()
	svid, err := source.GetX509SVID()
	if err != nil {
		return err
	}
	command.Say(map[string]any{"spiffeId": svid.ID.String()})
	return nil
}

// fetch-jwt ADDRESS AUDIENCE...
func fetchJWT(args []string) error {
	ctx, cancel := within(20)
	defer cancel()
	svids, err := workloadapi.FetchJWTSVIDs(ctx, jwtsvid.Params{Audience: args[1], ExtraAudiences: args[2:]}, workloadapi.WithAddr(args[0]))
	if err != nil {
		return err
	}
	for _, svid := range svids {
		command.Say(map[string]any{"spiffeId": svid.ID.String(), "audience": svid.Audience, "token": svid.Marshal(), "expiry": svid.Expiry})
	}
	return nil
}

// jwt-source ADDRESS AUDIENCE: fetches a token and validates it against the bundles of the source.
func jwtSource(args []string) error {
	ctx, cancel := within(20)
	defer cancel()
	source, err := workloadapi.NewJWTSource(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr(args[0])))
	if err != nil {
		return err
	}
	defer source.Close()
	svid, err := source.FetchJWTSVID(ctx, jwtsvid.Params{Audience: args[1]})
	if err != nil {
		return err
	}
	parsed, err := jwtsvid.ParseAndValidate(svid.Marshal(), source, []string{args[1]})
	if err != nil {
		return err
	}
	_, err = jwtsvid.ParseAndValidate(svid.Marshal(), source, []string{"another"})
	command.Expect(err != nil, "a token for another audience to be refused")
	command.Say(map[string]any{"spiffeId": parsed.ID.String()})
	return nil
}

// validate-jwt ADDRESS AUDIENCE TOKEN
func validateJWT(args []string) error {
	ctx, cancel := within(20)
	defer cancel()
	svid, err := workloadapi.ValidateJWTSVID(ctx, args[2], args[1], workloadapi.WithAddr(args[0]))
	if err != nil {
		return err
	}
	command.Say(map[string]any{"spiffeId": svid.ID.String()})
	return nil
}

// mtls ADDRESS: an HTTPS server and client on one source accept each other by id, and refuse another id.
func mutualTLS(args []string) error {
	ctx, cancel := within(30)
	defer cancel()
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr(args[0])))
	if err != nil {
		return err
	}
	defer source.Close()
	svid, err := source.GetX509SVID()
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              "127.0.0.1:0",
		ReadHeaderTimeout: 5 * time.Second,
		TLSConfig:         tlsconfig.MTLSServerConfig(source, source, tlsconfig.AuthorizeID(svid.ID)),
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS.PeerCertificates[0].URIs[0]) }),
	}
	listener, err := listen()
	if err != nil {
		return err
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	defer server.Close()
	url := "https://" + listener.Addr().String()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(svid.ID))}}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	stranger := spiffeid.RequireFromPath(svid.ID.TrustDomain(), "/somebody/else")
	refusing := &http.Client{Transport: &http.Transport{TLSClientConfig: tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(stranger))}}
	if _, err := refusing.Get(url); err == nil {
		return errors.New("a server with another id was accepted")
	}
	command.Say(map[string]any{"peer": string(body)})
	return nil
}

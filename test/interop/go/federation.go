package main

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"sallyport.test/command"
)

// bundle-endpoint TRUST_DOMAIN FOLDER: a bundle endpoint with the SVID in this folder, told by lines on its standard input.
//
//	publish SEQUENCE FILE...   from now on the bundle has these roots
//	present FOLDER             from now on it is another SVID
func bundleEndpoint(args []string) error {
	td, err := spiffeid.TrustDomainFromString(args[0])
	if err != nil {
		return err
	}
	source, err := readIdentity(args[1])
	if err != nil {
		return err
	}
	bundle := spiffebundle.New(td)
	bundle.SetRefreshHint(2 * time.Minute)
	handler, err := federation.NewHandler(td, bundle)
	if err != nil {
		return err
	}
	listener, err := listen()
	if err != nil {
		return err
	}
	presented := &replaceable{}
	presented.holder.Store(source)
	server := &http.Server{Handler: handler, TLSConfig: tlsconfig.TLSServerConfig(presented)}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	command.Say(map[string]any{"address": listener.Addr().String()})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "publish":
			err = publish(bundle, words[1], words[2:])
		case "present":
			if source, err = readIdentity(words[1]); err == nil {
				presented.holder.Store(source)
			}
		default:
			err = fmt.Errorf("unknown order %q", words[0])
		}
		if err != nil {
			return err
		}
		command.Say(map[string]any{"done": words[0]})
	}
	return nil
}

// An SVID that is replaced between two connections.
type replaceable struct{ holder atomic.Value }

func (r *replaceable) GetX509SVID() (*x509svid.SVID, error) {
	return r.holder.Load().(identity).GetX509SVID()
}

func publish(bundle *spiffebundle.Bundle, sequence string, files []string) error {
	number, err := strconv.ParseUint(sequence, 10, 64)
	if err != nil {
		return err
	}
	var roots []*x509.Certificate
	for _, file := range files {
		blocks, err := readPEM(file)
		if err != nil {
			return err
		}
		root, err := x509.ParseCertificate(blocks[0])
		if err != nil {
			return err
		}
		roots = append(roots, root)
	}
	bundle.SetX509Authorities(roots)
	bundle.SetSequenceNumber(number)
	return nil
}

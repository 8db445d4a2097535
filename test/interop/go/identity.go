package main

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

type identity interface {
	x509svid.Source
	x509bundle.Source
}

// fromFiles presents whatever is in its files, good or bad.
type fromFiles struct {
	svid    *x509svid.SVID
	bundles *x509bundle.Set
}

func (f fromFiles) GetX509SVID() (*x509svid.SVID, error) { return f.svid, nil }
func (f fromFiles) GetX509BundleForTrustDomain(td spiffeid.TrustDomain) (*x509bundle.Bundle, error) {
	return f.bundles.GetX509BundleForTrustDomain(td)
}

// One source for each Workload API, as a service has it.
var sources = map[string]*workloadapi.X509Source{}

// openIdentity takes the address of a Workload API, or a folder with chain.pem and key.pem beside the folder of the bundles.
func openIdentity(where string) (identity, error) {
	if !strings.HasPrefix(where, "unix:") {
		return readIdentity(where)
	}
	if source, isOpen := sources[where]; isOpen {
		return source, nil
	}
	ctx, cancel := within(20)
	defer cancel()
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr(where)))
	sources[where] = source
	return source, err
}

func readIdentity(folder string) (identity, error) {
	// Not x509svid.Load, which would refuse the bad ones itself.
	chain, err := readPEM(filepath.Join(folder, "chain.pem"))
	if err != nil {
		return nil, err
	}
	keys, err := readPEM(filepath.Join(folder, "key.pem"))
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keys[0])
	if err != nil {
		return nil, err
	}
	svid := &x509svid.SVID{PrivateKey: key.(crypto.Signer)}
	for _, der := range chain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		svid.Certificates = append(svid.Certificates, certificate)
	}
	bundles := x509bundle.NewSet()
	files, err := filepath.Glob(filepath.Join(folder, "../bundles/*.pem"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		td := spiffeid.RequireTrustDomainFromString(strings.TrimSuffix(filepath.Base(file), ".pem"))
		bundle, err := x509bundle.Load(td, file)
		if err != nil {
			return nil, err
		}
		bundles.Add(bundle)
	}
	return fromFiles{svid, bundles}, nil
}

func readPEM(file string) ([][]byte, error) {
	rest, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var blocks [][]byte
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks = append(blocks, block.Bytes)
	}
	if len(blocks) == 0 {
		return nil, errors.New(file + " has no PEM")
	}
	return blocks, nil
}

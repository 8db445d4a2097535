package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/spiffe/go-spiffe/v2/exp/bundle/witbundle"
	"github.com/spiffe/go-spiffe/v2/exp/svid/witsvid"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"sallyport.test/command"
)

// mint ADMIN-SOCKET SPIFFE-ID: as `spire-server wit mint` does, for a key of this program; validated with the bundle of the server.
func mint(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	id, err := spiffeid.FromString(args[1])
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient("unix:"+args[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	minted, err := svidv1.NewSVIDClient(connection).MintWITSVID(ctx, &svidv1.MintWITSVIDRequest{
		Id:        &types.SPIFFEID{TrustDomain: id.TrustDomain().Name(), Path: id.Path()},
		PublicKey: public, Ttl: 60, SigningAlgorithm: "ES384",
	})
	if err != nil {
		return err
	}
	bundle, err := bundlev1.NewBundleClient(connection).GetBundle(ctx, &bundlev1.GetBundleRequest{})
	if err != nil {
		return err
	}
	authorities := map[string]crypto.PublicKey{}
	for _, authority := range bundle.WitAuthorities {
		if authorities[authority.KeyId], err = x509.ParsePKIXPublicKey(authority.PublicKey); err != nil {
			return err
		}
	}
	svid, err := witsvid.ParseAndValidate(minted.Svid.Token, witbundle.FromWITAuthorities(id.TrustDomain(), authorities))
	if err != nil {
		return err
	}
	if !key.PublicKey.Equal(svid.PublicKey) {
		return fmt.Errorf("minted for another key")
	}
	command.Say(map[string]any{
		"spiffeId": svid.ID.String(), "lives": minted.Svid.ExpiresAt - minted.Svid.IssuedAt,
		"ends": svid.Expiry.Unix() == minted.Svid.ExpiresAt, "path": minted.Svid.Id.Path,
	})
	return nil
}

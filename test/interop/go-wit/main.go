// Command interop-wit is what a Go program on go-spiffe makes of WIT-SVIDs. Apart from the other programs because only a newer
// go-spiffe, in packages that it calls experimental, knows of them. It exits with 1 when something is not as SPIFFE has it.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spiffe/go-spiffe/v2/exp/svid/witsvid"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"sallyport.test/command"
)

var commands = map[string]func(args []string) error{"fetch": fetch, "watch": watch, "mint": mint}

func main() { command.Run(commands) }

// fetch ADDRESS [SPIFFE ID]: every WIT-SVID, or the one of an id, validated with the bundles of the same agent.
func fetch(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := workloadapi.New(ctx, workloadapi.WithAddr(args[0]))
	if err != nil {
		return err
	}
	defer client.Close()
	id := ""
	if len(args) > 1 {
		id = args[1]
	}
	svids, err := client.FetchWITSVIDs(ctx, id)
	if err != nil {
		return err
	}
	bundles, err := client.FetchWITBundles(ctx)
	if err != nil {
		return err
	}
	for _, svid := range svids {
		validated, err := witsvid.ParseAndValidate(svid.Marshal(), bundles)
		if err != nil {
			return err
		}
		if err := prove(svid, validated.PublicKey); err != nil {
			return err
		}
		command.Say(map[string]any{"spiffeId": validated.ID.String(), "hint": svid.Hint, "bundles": bundles.Len()})
	}
	return nil
}

// watch ADDRESS SPIFFE-ID COUNT: a source, until it has held COUNT different WIT-SVIDs; each is validated and has a key of its own.
func watch(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 120*time.Second)
	defer cancel()
	id, err := spiffeid.FromString(args[1])
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	source, err := workloadapi.NewWITSource(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr(args[0])))
	if err != nil {
		return err
	}
	defer source.Close()
	tokens, keys, kids := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for {
		svid, err := source.GetWITSVIDForID(id)
		if err != nil {
			return err
		}
		validated, err := witsvid.ParseAndValidate(svid.Marshal(), source)
		if err != nil {
			return err
		}
		if err := prove(svid, validated.PublicKey); err != nil {
			return err
		}
		tokens[svid.Marshal()] = true
		keys[fmt.Sprint(validated.PublicKey)] = true
		kids[validated.KeyID] = true
		if len(tokens) >= count {
			command.Say(map[string]any{"tokens": len(tokens), "keys": len(keys), "authorities": len(kids)})
			return nil
		}
		if err := source.WaitUntilUpdated(ctx); err != nil {
			return err
		}
	}
}

// prove signs with the key that came with a WIT-SVID and verifies with the one inside of it.
func prove(svid *witsvid.SVID, inside crypto.PublicKey) error {
	signer, isSigner := svid.PrivateKey.(crypto.Signer)
	public, isEC := inside.(*ecdsa.PublicKey)
	if !isSigner || !isEC {
		return fmt.Errorf("a key is a %T and the other a %T", svid.PrivateKey, inside)
	}
	digest := sha256.Sum256([]byte("proof"))
	signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(public, digest[:], signature) {
		return errors.New("the key does not belong to the token")
	}
	return nil
}

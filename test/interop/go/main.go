// Command interop is what a Go program that knows nothing about Sallyport does with it: go-spiffe on the workload socket,
// SPIRE's API on the admin socket, and a node that joins as an agent. Each subcommand prints facts as JSON and exits with 1
// when something is not as SPIFFE or SPIRE have it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

var commands = map[string]func(args []string) error{
	"fetch-x509":   fetchX509,
	"watch-x509":   watchX509,
	"x509-source":  x509Source,
	"fetch-jwt":    fetchJWT,
	"jwt-source":   jwtSource,
	"validate-jwt": validateJWT,
	"mtls":         mutualTLS,
	"reflection":   reflection,
	"admin":        admin,
	"join":         join,
	"peer":         peer,

	"bundle-endpoint": bundleEndpoint,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: interop COMMAND ARGS")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// say prints one fact per line, at once, so that a test can follow a running command.
func say(fact map[string]any) {
	line, err := json.Marshal(fact)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

func expect(holds bool, format string, args ...any) {
	if !holds {
		fmt.Fprintf(os.Stderr, "expected: "+format+"\n", args...)
		os.Exit(1)
	}
}

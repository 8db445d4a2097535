// Command interop is what a Go program that knows nothing about Sallyport does with it: go-spiffe on the workload socket,
// SPIRE's API on the admin socket, and a node that joins as an agent. Each subcommand exits with 1 when something is
// not as SPIFFE or SPIRE have it.
package main

import "sallyport.test/command"

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

func main() { command.Run(commands) }

// Package command is what the Go programs of these tests have in common, whichever go-spiffe they are built with: subcommands that
// print facts as JSON, and end with 1 when something is not as it should be.
package command

import (
	"encoding/json"
	"fmt"
	"os"
)

// Run does the subcommand that the arguments of the program name.
func Run(commands map[string]func(args []string) error) {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "usage: %s COMMAND ARGS\n", os.Args[0])
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// Say prints one fact per line, at once, so that a test can follow a running command.
func Say(fact map[string]any) {
	line, err := json.Marshal(fact)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

// Expect ends the program with what was expected where that does not hold.
func Expect(holds bool, format string, args ...any) {
	if !holds {
		fmt.Fprintf(os.Stderr, "expected: "+format+"\n", args...)
		os.Exit(1)
	}
}

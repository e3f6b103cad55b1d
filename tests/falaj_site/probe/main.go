// What the site's tests run in pods: one static program with a word for each thing to try.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(word string, rest []string) error {
	switch word {
	case "hold":
		fmt.Println(strings.Join(rest, " "))
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		return nil
	case "say":
		fmt.Println(strings.Join(rest, " "))
		return nil
	case "serve":
		http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, rest[1]) })
		return http.ListenAndServe(":"+rest[0], nil)
	case "get":
		client := http.Client{Timeout: 5 * time.Second}
		answer, err := client.Get(rest[0])
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	case "resolve":
		bound, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		found, err := net.DefaultResolver.LookupHost(bound, rest[0])
		fmt.Println(strings.Join(found, " "))
		return err
	case "write":
		return os.WriteFile(rest[0], []byte(rest[1]), 0o640)
	case "read":
		content, err := os.ReadFile(rest[0])
		fmt.Print(string(content))
		return err
	case "keyring":
		// keyctl(KEYCTL_GET_KEYRING_ID, the session's, do not make one): harmless, and not in the default filter.
		_, _, number := syscall.Syscall(syscall.SYS_KEYCTL, 0, ^uintptr(2), 0)
		fmt.Println("keyctl:", number == syscall.EPERM || number == syscall.ENOSYS)
		return nil
	}
	return fmt.Errorf("unknown word %q", word)
}

// Input: lines of `case scheme host port`. Output: `case: answer` or `case: error`.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(os.Getenv("CA_PEM")))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		word := strings.Fields(lines.Text())
		config := &tls.Config{RootCAs: pool}
		if word[0] == "bad_certificate" {
			config = nil
		}
		patience := 20 * time.Second
		if word[0] == "silent" {
			patience = time.Second
		}
		client := http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: config}}
		answer, err := client.Get(fmt.Sprintf("%s://%s:%s/", word[1], word[2], word[3]))
		if err != nil {
			fmt.Printf("%s: %v\n", word[0], err)
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		fmt.Printf("%s: %s\n", word[0], body)
	}
}

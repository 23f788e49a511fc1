"""Each runtime finds the certificates of well-known authorities where it looks for them by itself."""

import pytest

from tests.jail.guest_requests import Run

# Each prints how many authorities it trusts. C and Rust have no TLS of their own: their libraries read this file.
COUNTS = {
    "python": "import ssl\nprint(len(ssl.create_default_context().get_ca_certs()))\n",
    "c": """
#include <stdio.h>
#include <string.h>
int main(void) {
    char line[256];
    int count = 0;
    FILE *file = fopen("/etc/ssl/certs/ca-certificates.crt", "r");
    while (file && fgets(line, sizeof line, file)) count += strstr(line, "BEGIN CERTIFICATE") != 0;
    printf("%d\\n", count);
}
""",
    "java": """
import java.security.KeyStore;
import javax.net.ssl.*;
public class Main {
    public static void main(String[] arguments) throws Exception {
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init((KeyStore) null);
        System.out.println(((X509TrustManager) factory.getTrustManagers()[0]).getAcceptedIssuers().length);
    }
}
""",
    "javascript": "console.log(require('node:tls').rootCertificates.length)\n",
    "go": """
package main

import (
	"crypto/x509"
	"fmt"
)

func main() {
	pool, _ := x509.SystemCertPool()
	fmt.Println(len(pool.Subjects()))
}
""",
    "rust": """
fn main() {
    let bundle = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
    println!("{}", bundle.matches("BEGIN CERTIFICATE").count());
}
""",
}


@pytest.mark.parametrize("language", COUNTS)
def test_a_program_trusts_the_authorities_of_the_host(run: Run, language: str) -> None:
    completed = run(language, COUNTS[language])
    assert int(completed.stdout.inline) > 50

// expect: AC
// attack: T26 resolve_name: names resolve to nothing, and at once
// alone: a jail with the way out would ask servers that are not the test's
use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

fn main() {
    let begun = Instant::now();
    for name in ["example.com:80", "metadata.google.internal:80"] {
        if let Ok(mut found) = name.to_socket_addrs() {
            println!("ESCAPED {name} is {:?}", found.next());
        }
    }
    if begun.elapsed() > Duration::from_secs(2) {
        println!("ESCAPED a refusal took its time");
    }
}

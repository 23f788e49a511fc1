// expect: AC
// attack: T26 connect_out: reaches for addresses of both versions
// control: unreachable_network
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

fn main() {
    let begun = Instant::now();
    for address in ["1.1.1.1:80", "10.0.0.1:80", "169.254.169.254:80", "169.254.170.2:80", "[2606:4700:4700::1111]:80", "[fd00:ec2::254]:80"] {
        let to: SocketAddr = address.parse().unwrap();
        match TcpStream::connect_timeout(&to, Duration::from_secs(1)) {
            Ok(_) => println!("ESCAPED connected to {to}"),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => println!("ESCAPED was refused by {to}"),
            Err(_) => {}
        }
        let own = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        if UdpSocket::bind(own).and_then(|socket| socket.send_to(b"question", to)).is_ok() {
            println!("ESCAPED sent to {to}");
        }
    }
    if begun.elapsed() > Duration::from_secs(2) {
        println!("ESCAPED a refusal took its time");
    }
}

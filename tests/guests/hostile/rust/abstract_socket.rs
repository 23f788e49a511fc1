// expect: AC
// attack: T28 abstract_socket: connects to an abstract socket of the host, whose name no mount hides
// control: network_namespace
use std::io::read_to_string;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

fn main() {
    let input = read_to_string(std::io::stdin()).unwrap();
    let key = input.split_whitespace().nth(1).unwrap();
    let address = SocketAddr::from_abstract_name(format!("rustbox-beacon-{key}")).unwrap();
    if UnixStream::connect_addr(&address).is_ok() {
        println!("ESCAPED connected to the host");
    }
}

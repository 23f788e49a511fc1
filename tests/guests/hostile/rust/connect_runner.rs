// expect: AC
// attack: T26 T27 connect_runner: connects to a port of the runner's host, which the input names
// control: network_namespace
use std::io::read_to_string;
use std::net::TcpStream;

fn main() {
    let input = read_to_string(std::io::stdin()).unwrap();
    let port: u16 = input.split_whitespace().next().unwrap().parse().unwrap();
    if TcpStream::connect(("127.0.0.1", port)).is_ok() {
        println!("ESCAPED connected to the host");
    }
}

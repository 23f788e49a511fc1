// Input: lines of `case scheme host port`. Output: `case: answer` or `case: error`.
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn get(host: &str, port: &str, patience: u64) -> io::Result<String> {
    let mut stream = TcpStream::connect((host, port.parse::<u16>().unwrap()))?;
    stream.set_read_timeout(Some(Duration::from_secs(patience)))?;
    write!(stream, "GET / HTTP/1.0\r\nhost: {host}\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.split("\r\n\r\n").last().unwrap_or("").to_string())
}

fn main() {
    for line in io::stdin().lock().lines() {
        let line = line.unwrap();
        let word: Vec<&str> = line.split_whitespace().collect();
        if word[1] == "http" {
            match get(word[2], word[3], if word[0] == "silent" { 1 } else { 20 }) {
                Ok(answer) => println!("{}: {answer}", word[0]),
                Err(error) => println!("{}: {:?} {error}", word[0], error.kind()),
            }
        }
    }
}

// expect: AC
// attack: T7 leave_markers: leaves sockets for the next run, and looks for those of an earlier one
// control: private_mounts
use std::os::unix::net::UnixListener;
use std::path::Path;

fn main() {
    for place in ["/tmp", "/dev/shm", "/box"] {
        let marker = Path::new(place).join("marker-of-rust");
        if marker.exists() {
            println!("ESCAPED found {}", marker.display());
        } else {
            UnixListener::bind(&marker).unwrap();
        }
    }
}

thread_local!(static N: std::cell::Cell<i32> = const { std::cell::Cell::new(3) });
fn main() { std::thread::spawn(|| N.set(4)).join().unwrap(); println!("{}", N.get()); }

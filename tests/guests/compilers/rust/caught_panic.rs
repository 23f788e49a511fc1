fn main() { println!("{}", std::panic::catch_unwind(|| panic!("x")).is_err()); }

fn main() { println!("{} {} {}", file!(), line!(), std::any::type_name::<[u8]>()); }

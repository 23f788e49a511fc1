fn main() { println!("{:?} {:?}", option_env!("LD_PRELOAD"), env!("PATH")); }

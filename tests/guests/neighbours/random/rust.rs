use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
fn main() {
    println!("{}", RandomState::new().hash_one(1));
    println!("{:p}", Box::leak(Box::new(1)));
}

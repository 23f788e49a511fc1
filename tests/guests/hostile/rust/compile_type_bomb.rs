// expect: TLE MLE RE
// attack: T20 compile_type_bomb: a type whose every level is a pair of the level before
// alone: a compiler's bomb has no end that it could reach within a bound
fn pair<T: Clone + std::fmt::Debug>(value: T, depth: u32) {
    if depth > 0 {
        pair((value.clone(), value), depth - 1);
    } else {
        println!("{value:?}");
    }
}

fn main() {
    pair(1u8, 200);
}

// expect: RE MLE TLE
// attack: T20 compile_deep_nesting: parentheses around parentheses, until the parser's stack ends
// alone: a compiler's bomb has no end that it could reach within a bound
#![recursion_limit = "1000000"]
macro_rules! nest {
    ($($inner:tt)*) => { nest!(($($inner)*)) };
}

fn main() {
    println!("{}", nest!(1));
}

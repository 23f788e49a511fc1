// expect: TLE RE MLE
// attack: T17 T20 compile_constant_loop: has the compiler compute
// alone: a compiler's bomb has no end that it could reach within a bound
#![allow(long_running_const_eval)]
const fn turn(mut left: u64) -> u64 {
    let mut value = 1u64;
    while left > 0 {
        value = value.wrapping_mul(6364136223846793005).wrapping_add(left);
        left -= 1;
    }
    value
}
const RESULT: u64 = turn(1 << 40);

fn main() {
    println!("{RESULT}");
}

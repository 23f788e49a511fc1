// expect: TLE MLE RE
// attack: T20 compile_macro_bomb: every macro calls itself twice
// alone: a compiler's bomb has no end that it could reach within a bound
macro_rules! grow {
    ($($part:tt)*) => { grow!($($part)* $($part)* 1 +) };
}

fn main() {
    println!("{}", grow!(1 +));
}

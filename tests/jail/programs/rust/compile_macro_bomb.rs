// expect: TLE MLE RE
// attack: T20 compile_macro_bomb: every macro calls itself twice
macro_rules! grow {
    ($($part:tt)*) => { grow!($($part)* $($part)* 1 +) };
}

fn main() {
    println!("{}", grow!(1 +));
}

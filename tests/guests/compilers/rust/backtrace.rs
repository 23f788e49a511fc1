fn main() { eprint!("{}", std::backtrace::Backtrace::force_capture()); }

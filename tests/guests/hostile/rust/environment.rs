// expect: AC
// attack: T29 environment: looks for credentials in its own environment and in that of process 1
// control: clean_environment
use std::{env, fs};

fn main() {
    for (key, value) in env::vars() {
        if !["PATH", "HOME", "LANG"].contains(&key.as_str()) {
            println!("ESCAPED found {key}={value}");
        }
    }
    if fs::read("/proc/1/environ").is_ok() {
        println!("ESCAPED read the environment of process 1");
    }
}

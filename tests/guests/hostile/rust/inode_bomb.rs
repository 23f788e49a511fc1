// expect: AC
// attack: T6 inode_bomb: empty files, which no byte limit counts
// control: inode_limit
use std::fs::File;

fn main() {
    for i in 0..20_000 {
        if File::create(format!("/tmp/{i}")).is_err() {
            return;
        }
    }
    println!("ESCAPED made 20000 files");
}

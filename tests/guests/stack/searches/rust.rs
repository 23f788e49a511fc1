fn depth(next: &Vec<Vec<usize>>, vertex: usize) -> u64 {
    let seen = std::hint::black_box([1u64; 100]);
    let mut found = seen[vertex % 100];
    for &other in &next[vertex] { found += depth(next, other); }
    found
}
fn main() {
    let next: Vec<Vec<usize>> = (0..150000).map(|i| if i < 149999 { vec![i + 1] } else { vec![] }).collect();
    println!("{}", depth(&next, 0));
}

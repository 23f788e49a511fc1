// expect: AC
// attack: T29 compile_environment: reads the compiler's environment
// control: clean_environment
fn main() {
    for secret in [option_env!("AWS_ACCESS_KEY_ID"), option_env!("AWS_SESSION_TOKEN"), option_env!("RUSTBOX_QUEUE_URL")] {
        if let Some(value) = secret {
            println!("ESCAPED found {value}");
        }
    }
}

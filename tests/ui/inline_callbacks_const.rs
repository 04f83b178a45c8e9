#[rt::inline_callbacks]
const async fn page() -> Result<String, rt::Failure> {
    Ok(String::new())
}

fn main() {}

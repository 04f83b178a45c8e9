#[rt::inline_callbacks]
fn page() -> Result<String, rt::Failure> {
    Ok(String::new())
}

fn main() {}

#[rt::inline_callbacks(crate)]
async fn page() -> Result<String, rt::Failure> {
    Ok(String::new())
}

fn main() {}

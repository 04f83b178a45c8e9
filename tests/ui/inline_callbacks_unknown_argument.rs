#[rt::inline_callbacks(flavor = "current_thread")]
async fn page() -> Result<String, rt::Failure> {
    Ok(String::new())
}

fn main() {}

#[rt::inline_callbacks]
async fn length(text: &str) -> Result<usize, rt::Failure> {
    Ok(text.len())
}

fn main() {}

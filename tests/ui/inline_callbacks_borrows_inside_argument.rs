#[rt::inline_callbacks]
async fn length(text: Option<&str>) -> Result<usize, rt::Failure> {
    Ok(text.map_or(0, str::len))
}

fn main() {}

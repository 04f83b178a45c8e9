#[rt::inline_callbacks]
async extern "C" fn page() -> Result<String, rt::Failure> {
    Ok(String::new())
}

fn main() {}

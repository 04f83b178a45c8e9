#[rt::inline_callbacks]
async unsafe fn page() -> Result<String, rt::Failure> {
    Ok(String::new())
}

fn main() {}

#[rt::inline_callbacks]
async fn port() -> Result<impl std::fmt::Debug, rt::Failure> {
    Ok(80)
}

fn main() {}

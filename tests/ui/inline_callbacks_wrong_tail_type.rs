#[rt::inline_callbacks]
async fn port() -> Result<u16, rt::Failure> {
    let port: u16 = "80".parse()?;
    port
}

fn main() {}

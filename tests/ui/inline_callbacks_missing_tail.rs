#[rt::inline_callbacks]
async fn port() -> Result<u16, rt::Failure> {
    let _port: u16 = "80".parse()?;
}

fn main() {}

#![deny(unused_must_use)]

#[rt::inline_callbacks]
async fn port() -> Result<u16, rt::Failure> {
    Ok(80)
}

fn main() {
    port();
}

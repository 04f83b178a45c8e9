struct NotAnError;

#[rt::inline_callbacks]
async fn port() -> Result<u16, NotAnError> {
    Err(NotAnError)
}

fn main() {}

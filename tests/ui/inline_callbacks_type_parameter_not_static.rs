#[rt::inline_callbacks]
async fn same<T>(value: T) -> Result<T, rt::Failure> {
    Ok(value)
}

fn main() {}

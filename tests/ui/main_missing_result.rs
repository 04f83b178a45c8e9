#[rt::main]
async fn main() -> Result<(), String> {
    Err::<(), _>("a".to_owned())?;
}

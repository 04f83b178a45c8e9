#[rt::main]
async fn main() -> Result<(), String> {
    let number = async { 7 }.await;
    number
}

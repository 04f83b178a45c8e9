#[rt::inline_callbacks]
async fn port(text: String) -> u16 {
    text.len() as u16
}

fn main() {}

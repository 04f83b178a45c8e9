#[rt::main]
async fn main() {
    "7".parse::<u32>()?;
}

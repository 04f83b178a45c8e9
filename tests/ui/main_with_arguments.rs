#[rt::main]
async fn main(words: Vec<String>) {
    println!("{}", words.len());
}

//! Greets everybody whose name is typed, until the end of input or Ctrl-C.

#[rt::main]
async fn main() -> std::io::Result<()> {
    let mut ctrl_c = rt::signal::ctrl_c();
    let mut names = rt::io::stdin();
    println!("Who is there?");
    loop {
        rt::select! {
            name = names.next_line() => match name? {
                Some(name) => println!("Hello, {name}!"),
                None => break,
            },
            result = &mut ctrl_c => {
                result?;
                break;
            }
        }
    }
    println!("Goodbye.");
    Ok(())
}

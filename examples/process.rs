//! A pipeline of two programs, `sort | uniq -c`: its input is written and its output collected, both by this program.

#[cfg(unix)]
#[rt::main]
async fn main() -> std::io::Result<()> {
    use futures_util::io::AsyncWriteExt;
    use rt::process::Command;
    use std::process::Stdio;

    let mut sort = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let sorted: Stdio = sort.stdout.take().expect("it is a pipe").try_into()?;
    // It runs from here on, reading what `sort` writes; its output is collected when this is awaited.
    let counting = Command::new("uniq").arg("-c").stdin(sorted).output();

    // Beside the collecting, which a program needs that answers while it is still asked.
    let mut words = sort.stdin.take().expect("it is a pipe");
    let asking = rt::spawn(async move {
        for word in ["pear", "apple", "pear", "plum", "pear", "apple"] {
            words.write_all(format!("{word}\n").as_bytes()).await?;
        }
        words.close().await
    });

    let counted = counting.await?;
    asking.await.expect("the task ends")?;
    let sorted_well = sort.wait().await?.success();

    let mut stdout = rt::io::stdout();
    for line in String::from_utf8_lossy(&counted.stdout).lines() {
        stdout.write_all(format!("{}\n", line.trim()).as_bytes()).await?;
    }
    let verdict = format!("both ended well: {}\n", sorted_well && counted.status.success());
    stdout.write_all(verdict.as_bytes()).await
}

#[cfg(not(unix))]
fn main() {
    println!("rt starts processes on Unix systems only");
}

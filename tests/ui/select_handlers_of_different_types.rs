use std::future::ready;

async fn wait() -> u32 {
    rt::select! {
        number = ready(1) => number,
        word = ready("two") => word,
    }
}

fn main() {}

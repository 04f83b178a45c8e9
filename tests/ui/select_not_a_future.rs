async fn wait() -> u32 {
    rt::select! {
        number = 1 => number,
    }
}

fn main() {}

async fn wait() -> u32 {
    rt::select! {
        number = std::future::ready(1) => number
        number = std::future::ready(2) => number
    }
}

fn main() {}

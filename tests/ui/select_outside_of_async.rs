use std::future::ready;

fn wait() -> u32 {
    rt::select! {
        number = ready(1) => number,
    }
}

fn main() {}

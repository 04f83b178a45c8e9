use std::future::ready;

async fn wait(open: u32) {
    rt::select! {
        () = ready(()), if open => {}
    }
}

fn main() {}

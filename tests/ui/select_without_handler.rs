async fn wait() {
    rt::select! {
        () = std::future::ready(()),
    }
}

fn main() {}

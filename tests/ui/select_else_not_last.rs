async fn wait() {
    rt::select! {
        else => {}
        () = std::future::ready(()) => {}
    }
}

fn main() {}

async fn wait() {
    rt::select! {}
}

fn main() {}

#[rt::inline_callbacks]
async fn wait(when: rt::Deferred<()>) {
    when.await?;
}

fn main() {}

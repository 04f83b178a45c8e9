//! Crates that are made for tokio and know nothing of rt, unwrapped on rt's workers: reqwest fetches pages, redis counts the visits.
//!
//! `cargo run -p rt-ecosystem --bin tokio_crates -- redis://127.0.0.1:6379 http://127.0.0.1:8080/ ...` fetches all pages at once and
//! prints a line for each, in the order given.

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use rt::time::{Duration, timeout};
use std::error::Error;

/// All of it is in the word `tokio`: each worker is in tokio's context, too.
#[rt::main(tokio)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let redis = arguments.next().ok_or("usage: tokio_crates REDIS-URL PAGE-URL...")?;
    let connection = redis::Client::open(redis)?.get_multiplexed_async_connection().await?;
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;

    // Tasks of rt, which poll futures of reqwest and redis.
    let visits: Vec<_> = arguments.map(|page| rt::spawn(visit(client.clone(), connection.clone(), page))).collect();
    for visit in visits {
        println!("{}", visit.await?.map_err(|error| error.to_string())?);
    }
    // rt's own timers beside tokio's.
    let nothing = timeout(Duration::from_millis(1), std::future::pending::<()>()).await;
    println!("done: {}", nothing.is_err());
    Ok(())
}

async fn visit(
    client: reqwest::Client,
    mut connection: MultiplexedConnection,
    page: String,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let text = client.get(&page).send().await?.error_for_status()?.text().await?;
    let visits: u64 = connection.incr(format!("visits:{page}"), 1).await?;
    Ok(format!("{page}: {} bytes, visit {visits}", text.len()))
}

#![deny(unused_variables)]

use std::future::ready;

async fn wait() {
    rt::select! {
        number = ready(1) => {}
    }
}

fn main() {}

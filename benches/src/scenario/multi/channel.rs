//! Messages of many tasks to one.

use crate::meter::{Sample, measure};
use crate::subject::Subject;

const PRODUCERS: u64 = 4;
const MESSAGES: u64 = 5_000;
const CAPACITY: usize = 128;

/// An operation is a message.
pub(super) async fn many_to_one<S: Subject>(batches: u64) -> Sample {
    measure(batches, PRODUCERS * MESSAGES, async || {
        let (sender, receiver) = smol::channel::bounded(CAPACITY);
        let mut tasks: Vec<_> = (0..PRODUCERS)
            .map(|_| {
                let sender = sender.clone();
                S::spawn(async move {
                    for number in 0..MESSAGES {
                        sender.send(number).await.expect("the consumer goes on to the end");
                    }
                })
            })
            .collect();
        drop(sender);
        tasks.push(S::spawn(async move {
            let mut sum = 0;
            while let Ok(number) = receiver.recv().await {
                sum += number;
            }
            assert_eq!(sum, PRODUCERS * MESSAGES * (MESSAGES - 1) / 2);
        }));
        for task in tasks {
            S::join(task).await;
        }
    })
    .await
}

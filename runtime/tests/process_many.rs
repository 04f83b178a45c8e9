//! Alone in its process, because it counts the descriptors.
#![cfg(any(target_os = "linux", target_os = "android"))]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use std::process::Stdio;

use rt_runtime::process::{__wait_until_reaped, Command};

/// All but those of drivers, which a second worker opens when it first needs them.
fn descriptors() -> usize {
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    let names = all.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    names
        .filter(|name| !["eventpoll", "eventfd", "timerfd"].iter().any(|kind| name.to_string_lossy().contains(kind)))
        .count()
}

#[test]
fn a_thousand_children_leave_no_descriptor_behind() {
    flavor::block_on(async {
        // What the runtime, and `cargo`, have opened by now stays.
        Command::new("true").stdin(Stdio::piped()).output().await.unwrap();
        let before = descriptors();
        let mut dropped = Vec::new();
        for _ in 0..20 {
            let round: Vec<_> = (0..50)
                .map(|n| {
                    rt_runtime::spawn(async move {
                        let mut command = Command::new("true");
                        command.stdin(Stdio::piped());
                        match n % 3 {
                            0 => assert!(command.output().await.unwrap().status.success()),
                            1 => assert!(command.status().await.unwrap().success()),
                            _ => return command.stdout(Stdio::piped()).spawn().unwrap().id(),
                        }
                        None
                    })
                })
                .collect();
            for task in round {
                dropped.extend(task.await.unwrap());
            }
        }
        assert_eq!(dropped.len(), 20 * 16);
        dropped.into_iter().for_each(__wait_until_reaped);
        // The reaper's bell closes a moment after its last child is gone, with its thread: this ends.
        while descriptors() != before {
            rt_runtime::yield_now().await;
        }
    });
}

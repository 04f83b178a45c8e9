//! Alone in its process, because it counts the descriptors.
#![cfg(any(target_os = "linux", target_os = "android"))]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use std::process::Stdio;

use rt_runtime::process::{__wait_until_reaped, Command};

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
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
        // The reaper's bell closes a moment after its last child is gone, with its thread.
        while descriptors() > before {
            rt_runtime::yield_now().await;
        }
        assert_eq!(descriptors(), before);
    });
}

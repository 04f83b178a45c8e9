//! `Builder`: what it refuses, and what its values do.

mod support;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rt::runtime::{Builder, Handle};
use support::Trace;

fn complaint(configure: impl FnOnce(&mut Builder) -> &mut Builder) -> String {
    let error = configure(&mut Builder::new_current_thread()).build().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    error.to_string()
}

#[test]
fn values_that_make_no_sense() {
    // Each says which value it is, and what would do.
    let complaint = [
        (complaint(|builder| builder.max_blocking_threads(0)), "max_blocking_threads is 0", "at least 1"),
        (complaint(|builder| builder.event_interval(0)), "event_interval is 0", "at least 1"),
        (complaint(|builder| builder.thread_stack_size(0)), "thread_stack_size is 0", "leave the default"),
        (complaint(|builder| builder.thread_name("a\0b")), "thread_name contains a NUL", "names without it"),
    ];
    for (complaint, what, remedy) in complaint {
        assert!(complaint.contains(what) && complaint.contains(remedy), "{complaint}");
    }
}

#[test]
fn builder_that_was_refused_can_be_corrected() {
    let mut builder = Builder::new_current_thread();
    assert!(builder.event_interval(0).build().is_err());
    assert_eq!(builder.event_interval(1).build().unwrap().block_on(async { 1 }), 1);
}

#[test]
fn builder_makes_several_runtimes() {
    let mut builder = Builder::new_current_thread();
    builder.thread_name("same");
    let runtimes = [builder.build().unwrap(), builder.clone().build().unwrap()];
    let names = runtimes.each_ref().map(|runtime| {
        runtime.block_on(runtime.spawn_blocking(|| thread::current().name().map(str::to_owned))).unwrap()
    });
    assert_eq!(names, [Some("same".to_owned()), Some("same".to_owned())]);
    let (a, b) = (runtimes[0].spawn(async {}), runtimes[1].spawn(async {}));
    runtimes[0].block_on(a).unwrap();
    assert!(!b.is_finished(), "they share nothing");
}

#[test]
fn default_name_of_threads() {
    let runtime = support::runtime();
    let name = runtime.block_on(runtime.spawn_blocking(|| thread::current().name().map(str::to_owned))).unwrap();
    assert_eq!(name.as_deref(), Some("rt-blocking"));
}

#[test]
fn stack_size() {
    /// Uses more than std's default of 2 MiB.
    fn deep(levels: u32) -> u64 {
        let frame = std::hint::black_box([1_u8; 4096]);
        if levels == 0 { 0 } else { deep(levels - 1) + u64::from(frame[levels as usize % 4096]) }
    }
    let runtime = Builder::new_current_thread().thread_stack_size(64 << 20).build().unwrap();
    assert_eq!(runtime.block_on(runtime.spawn_blocking(|| deep(2_000))).unwrap(), 2_000);
}

#[test]
fn hooks_run_on_each_thread_around_everything() {
    let trace = Trace::default();
    let (start, stop) = (trace.clone(), trace.clone());
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .on_thread_start(move || start.say("start"))
        .on_thread_stop(move || stop.say("stop"))
        .build()
        .unwrap();
    runtime.block_on(async { rt::spawn(async {}).await.unwrap() });
    assert!(trace.take().is_empty(), "the thread in block_on is not the runtime's");
    let said = trace.clone();
    runtime.block_on(runtime.spawn_blocking(move || said.say("call"))).unwrap();
    let said = trace.clone();
    runtime.block_on(runtime.spawn_blocking(move || said.say("call"))).unwrap();
    runtime.shutdown_timeout(Duration::from_secs(600));
    assert_eq!(trace.take(), ["start", "call", "call", "stop"]);
}

#[test]
fn hooks_run_within_the_runtime() {
    let (sender, receiver) = mpsc::channel();
    let stopped = sender.clone();
    let runtime = Builder::new_current_thread()
        .on_thread_start(move || sender.send(Handle::try_current().is_ok()).unwrap())
        .on_thread_stop(move || stopped.send(Handle::try_current().is_ok()).unwrap())
        .build()
        .unwrap();
    runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
    runtime.shutdown_timeout(Duration::from_secs(600));
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [true, true]);
}

#[test]
fn threads_leave_when_they_have_nothing_to_do() {
    let (stopped, has_stopped) = mpsc::channel();
    let runtime = Builder::new_current_thread()
        .thread_keep_alive(Duration::ZERO)
        .on_thread_stop(move || stopped.send(()).unwrap())
        .build()
        .unwrap();
    for _ in 0..3 {
        runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
        has_stopped.recv().unwrap();
    }
}

#[test]
fn most_blocking_calls_at_once() {
    for most in [1, 3] {
        let runtime = Builder::new_current_thread().max_blocking_threads(most).build().unwrap();
        let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        // Nobody goes on before `most` are there.
        let barrier = Arc::new(std::sync::Barrier::new(most));
        let calls: Vec<_> = (0..most * 4)
            .map(|_| {
                let (running, peak, barrier) = (Arc::clone(&running), Arc::clone(&peak), Arc::clone(&barrier));
                runtime.spawn_blocking(move || {
                    peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    barrier.wait();
                    running.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        runtime.block_on(async {
            for call in calls {
                call.await.unwrap();
            }
        });
        assert_eq!(peak.load(Ordering::SeqCst), most);
    }
}

#[test]
fn start_paused() {
    let runtime = Builder::new_current_thread().start_paused(true).build().unwrap();
    let real = Instant::now();
    runtime.block_on(async {
        let start = rt::time::Instant::now();
        rt::time::sleep(Duration::from_secs(1_000_000)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(1_000_000));
    });
    assert!(real.elapsed() < Duration::from_secs(1_000_000));
}

#[test]
fn as_text() {
    let mut builder = Builder::new_current_thread();
    builder.thread_name("shown").on_thread_start(|| ());
    let text = format!("{builder:?}");
    assert!(text.contains("\"shown\"") && text.contains("max_blocking_threads: 512"), "{text}");
    let runtime = builder.build().unwrap();
    assert_eq!(format!("{runtime:?}"), "Runtime { .. }");
    assert_eq!(format!("{:?}", runtime.handle()), "Handle { shut_down: false, .. }");
    let handle = runtime.handle().clone();
    drop(runtime);
    assert_eq!(format!("{handle:?}"), "Handle { shut_down: true, .. }");
}

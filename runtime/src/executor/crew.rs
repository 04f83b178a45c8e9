//! The seats of a multi-thread runtime: which thread sits where, how a seat changes hands, and how all are given up in the end.
//!
//! A seat's worker (queue, sources, timers) lies here while nobody sits there. Threads are started for seats that are needed; a
//! caller of `Runtime::block_on` takes the first seat, if need be from a thread that was started for it. Who leaves the middle of a
//! poll (`block_in_place`) lends its worker to whoever comes, and has it back before the poll goes on.
//!
//! # Closing
//!
//! Every thread that sits somewhere ends what tasks it can and leaves; who leaves last ends the rest and gives up all workers. So
//! each future is dropped once, by a thread of the runtime or by who closes it, also if a worker is stuck and comes much later.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::blocking::Hold;
use super::idle::Idle;
use super::locals;
use super::park::Parker;
use super::post::Post;
use crate::deferred::run_away;
use crate::handle::Shared;
use crate::panics::quietly;
use crate::primitives::{Condvar, Mutex};
use crate::reactor::{self, Station};
use crate::task::{Bell, Scheduler};

/// Where callers of `block_on` sit.
pub(crate) const FRONT: usize = 0;

pub(crate) struct Crew {
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) idle: Arc<Idle>,
    pub(crate) stations: Box<[Arc<Station>]>,
    threads: Threads,
    runtime: OnceLock<Weak<Shared>>,
    calls: Box<[Calls]>,
    mail: Box<[Mail]>,
    places: Mutex<Places>,
    /// Rung when everything is given up.
    gone: Condvar,
    closing: AtomicBool,
}

/// What the threads are started with.
pub(crate) struct Threads {
    pub(crate) name: Arc<dyn Fn(usize) -> String + Send + Sync>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) on_start: Option<Arc<dyn Fn() + Send + Sync>>,
    pub(crate) on_stop: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// Who wants a seat that is taken.
#[derive(Default)]
struct Calls {
    /// Callers of `block_on`, to whom threads that were started for the seat give way.
    callers: AtomicUsize,
    /// Those who have lent it, to whom everybody gives way.
    lenders: AtomicUsize,
}

/// What is to be called on the thread that sits at a seat.
#[derive(Default)]
struct Mail {
    waiting: AtomicBool,
    letters: Mutex<Vec<Letter>>,
}

type Letter = Box<dyn FnOnce() + Send>;

struct Places {
    seats: Vec<Place>,
    /// How many have lent their worker and are not back.
    lent: usize,
    end: End,
}

#[derive(Default)]
struct Place {
    /// There while nobody sits here.
    post: Option<Post>,
    /// Unparked when the post is put here.
    waiting: Vec<Arc<Parker>>,
    /// A thread was started and has not come yet.
    coming: bool,
    /// Who sits here, if it is a thread that was started for it.
    thread_sits: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    UnderWay,
    Gone,
}

/// Why a thread sits at a seat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sitter {
    /// It was started for it.
    Thread,
    /// It blocks on a future.
    Caller,
}

impl Crew {
    pub(crate) fn new(
        scheduler: Arc<Scheduler>,
        idle: Arc<Idle>,
        stations: Box<[Arc<Station>]>,
        threads: Threads,
    ) -> Self {
        let seats: Vec<Place> = stations.iter().map(|_| Place::default()).collect();
        Self {
            scheduler,
            idle,
            threads,
            runtime: OnceLock::new(),
            calls: stations.iter().map(|_| Calls::default()).collect(),
            mail: stations.iter().map(|_| Mail::default()).collect(),
            places: Mutex::new(Places { seats, lent: 0, end: End::NotYet }),
            gone: Condvar::new(),
            closing: AtomicBool::new(false),
            stations,
        }
    }

    /// Once, when all is built: the runtime, and its workers in the order of their seats.
    pub(crate) fn begin(&self, runtime: Weak<Shared>, workers: impl IntoIterator<Item = Post>) {
        assert!(self.runtime.set(runtime).is_ok(), "a crew belongs to one runtime");
        let mut places = self.places.lock();
        for (place, post) in places.seats.iter_mut().zip(workers) {
            place.post = Some(post);
        }
    }

    /// The reactor for sources and timers of threads that sit nowhere. Somebody sits there from now on.
    pub(crate) fn outside(self: &Arc<Self>) -> &Arc<reactor::Handle> {
        let last = self.stations.len() - 1;
        self.staff(last);
        self.stations[last].handle()
    }

    /// Whether the runtime is being given up.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        // Acquire: who sees it finds what the closer did before.
        self.closing.load(Ordering::Acquire)
    }

    // --- sitting down and leaving ---

    /// Whether who sits at `seat` is to leave it. A thread with local tasks does not give way to callers: those would wait for it to
    /// sit again, and the callers do as well without a seat.
    #[inline]
    pub(crate) fn must_leave(&self, seat: usize, sitter: Sitter, keeps_locals: impl FnOnce() -> bool) -> bool {
        let calls = &self.calls[seat];
        // Relaxed: who calls rings afterwards.
        calls.lenders.load(Ordering::Relaxed) > 0
            || sitter == Sitter::Thread && calls.callers.load(Ordering::Relaxed) > 0 && !keeps_locals()
            || self.is_closing()
    }

    /// Takes the first seat for a caller of `block_on`, or leaves `parker`, which is unparked when it is free.
    pub(crate) fn take_front_or_wait(&self, parker: &Arc<Parker>) -> Option<Post> {
        let mut places = self.places.lock();
        let place = &mut places.seats[FRONT];
        if let Some(post) = place.post.take() {
            return Some(post);
        }
        if !place.waiting.iter().any(|waiting| Arc::ptr_eq(waiting, parker)) {
            place.waiting.push(Arc::clone(parker));
        }
        None
    }

    /// Whether the first seat is taken by a thread that gives way to callers.
    pub(crate) fn gives_front_way(&self) -> bool {
        self.places.lock().seats[FRONT].thread_sits
    }

    /// A caller of `block_on` waits for the first seat; until what this gives is dropped, threads give way to it.
    pub(crate) fn call_for_front(self: &Arc<Self>, parker: Arc<Parker>) -> Caller {
        self.calls[FRONT].callers.fetch_add(1, Ordering::Relaxed);
        self.stations[FRONT].handle().wake();
        Caller { crew: Arc::clone(self), parker }
    }

    /// Puts the worker back and tells who waits for it.
    pub(crate) fn put(self: &Arc<Self>, seat: usize, post: Post) {
        let is_awaited = self.lay_down(seat, post);
        if self.is_closing() {
            self.finish();
        } else if !is_awaited {
            self.staff_if_needed(seat);
        }
    }

    /// Puts the worker back; whether somebody waits for it.
    fn lay_down(&self, seat: usize, post: Post) -> bool {
        let waiting = {
            let mut places = self.places.lock();
            let place = &mut places.seats[seat];
            place.post = Some(post);
            place.thread_sits = false;
            std::mem::take(&mut place.waiting)
        };
        waiting.iter().for_each(|parker| parker.unpark());
        !waiting.is_empty()
    }

    /// Starts a thread at a seat that nobody sits at, if anything there needs one.
    fn staff_if_needed(self: &Arc<Self>, seat: usize) {
        if self.scheduler.seats()[seat].has_tasks() || self.stations[seat].has_work() || self.has_mail(seat) {
            self.staff(seat);
        }
        if self.scheduler.has_injected_before_now() {
            self.idle.wake_one();
        }
    }

    /// Starts a thread at a seat, unless somebody sits there or is on the way.
    pub(crate) fn staff(self: &Arc<Self>, seat: usize) {
        if self.is_closing() {
            return self.finish_elsewhere();
        }
        {
            let mut places = self.places.lock();
            let place = &mut places.seats[seat];
            if place.post.is_none() || place.coming {
                return;
            }
            place.coming = true;
        }
        let crew = Arc::clone(self);
        let name = quietly(|| (self.threads.name)(seat)).unwrap_or_else(|| "rt-worker".to_owned());
        // std panics at a NUL in a thread's name.
        let mut builder = std::thread::Builder::new().name(name.replace('\0', ""));
        if let Some(bytes) = self.threads.stack_size {
            builder = builder.stack_size(bytes);
        }
        // Not joined: what a thread has to give back it gives back before it ends, and who closes waits for that.
        if let Err(error) = builder.spawn(move || crew.serve(seat)) {
            self.places.lock().seats[seat].coming = false;
            self.idle.vacate(seat);
            // `eprintln!` would panic if nobody reads there.
            let mut stderr = std::io::stderr();
            let _ = writeln!(stderr, "rt: no thread for a worker could be started, so its tasks wait: {error}");
        }
    }

    /// The life of a thread that was started for a seat.
    fn serve(self: Arc<Self>, seat: usize) {
        if let Some(start) = &self.threads.on_start {
            quietly(|| start());
        }
        let post = {
            let mut places = self.places.lock();
            let place = &mut places.seats[seat];
            place.coming = false;
            place.thread_sits = place.post.is_some();
            // While it closes, who closes has it.
            if self.is_closing() { None } else { place.post.take() }
        };
        if let (Some(post), Some(runtime)) = (post, self.runtime()) {
            let mut next = Some(post);
            while let Some(post) = next.take() {
                let seated = Seated { crew: &self, seat, post: Some(post) };
                let reactor = self.stations[seat].handle();
                let keeps_locals = locals::with(&runtime, reactor, |locals| seated.worker().serve(locals));
                drop(seated);
                if keeps_locals {
                    // It had to make room for who has lent the worker; its local tasks go on when it sits again.
                    next = self.wait_for(seat, &runtime);
                }
            }
            if self.is_closing() {
                locals::close(&runtime);
            }
        }
        if let Some(stop) = &self.threads.on_stop {
            quietly(|| stop());
        }
    }

    /// Waits until `seat` is free, to which a thread without local tasks gives way; `None` if the runtime closes before.
    fn wait_for(&self, seat: usize, runtime: &Arc<Shared>) -> Option<Post> {
        let parker = Arc::new(Parker::default());
        let waker = Waker::from(Arc::clone(&parker));
        let calls = &self.calls[seat].callers;
        calls.fetch_add(1, Ordering::Relaxed);
        let post = loop {
            {
                let mut places = self.places.lock();
                if self.is_closing() {
                    break None;
                }
                let place = &mut places.seats[seat];
                if let Some(post) = place.post.take() {
                    place.thread_sits = true;
                    break Some(post);
                }
                if !place.waiting.iter().any(|waiting| Arc::ptr_eq(waiting, &parker)) {
                    place.waiting.push(Arc::clone(&parker));
                }
            }
            self.stations[seat].handle().wake();
            // Who sits there may have local tasks of its own, and not leave before the end.
            run_away(runtime, &waker);
            parker.park();
        };
        calls.fetch_sub(1, Ordering::Relaxed);
        post
    }

    fn runtime(&self) -> Option<Arc<Shared>> {
        self.runtime.get().and_then(Weak::upgrade)
    }

    // --- mail ---

    /// Has `letter` called on the thread that sits at `seat`; one is started if nobody does. It is dropped if the runtime closes
    /// before.
    pub(crate) fn send(self: &Arc<Self>, seat: usize, letter: Letter) {
        // Virtual time stands until it is read: the worker may not even be there yet.
        self.hold();
        self.mail[seat].letters.lock().push(letter);
        // Release pairs with the Acquire in `deliver`; the ring, which comes later, is what makes the worker look.
        self.mail[seat].waiting.store(true, Ordering::Release);
        if self.is_closing() {
            return self.burn(seat);
        }
        self.stations[seat].handle().wake();
        self.staff(seat);
    }

    /// Whether there is mail for who sits at `seat`.
    #[inline]
    pub(crate) fn has_mail(&self, seat: usize) -> bool {
        self.mail[seat].waiting.load(Ordering::Acquire)
    }

    /// Calls what was sent to who sits at `seat`.
    #[cold]
    pub(crate) fn deliver(&self, seat: usize) {
        for letter in self.take_mail(seat) {
            quietly(letter);
            self.release();
        }
    }

    fn burn(&self, seat: usize) {
        for letter in self.take_mail(seat) {
            quietly(|| drop(letter));
            self.release();
        }
    }

    fn take_mail(&self, seat: usize) -> Vec<Letter> {
        let mut letters = self.mail[seat].letters.lock();
        self.mail[seat].waiting.store(false, Ordering::Relaxed);
        std::mem::take(&mut *letters)
    }

    // --- lending ---

    /// The worker of `seat` lies here until its lender wants it back.
    pub(crate) fn lend(self: &Arc<Self>, seat: usize, post: Post) {
        self.places.lock().lent += 1;
        self.put(seat, post);
    }

    /// Waits until the worker of `seat` is free, and ends the loan.
    pub(crate) fn end_loan(&self, seat: usize) {
        let calls = &self.calls[seat].lenders;
        calls.fetch_add(1, Ordering::Relaxed);
        let parker = Arc::new(Parker::default());
        let post = loop {
            {
                let mut places = self.places.lock();
                let place = &mut places.seats[seat];
                if let Some(post) = place.post.take() {
                    places.lent -= 1;
                    break post;
                }
                place.waiting.push(Arc::clone(&parker));
            }
            self.stations[seat].handle().wake();
            parker.park();
        };
        calls.fetch_sub(1, Ordering::Relaxed);
        post.take_back();
    }

    // --- closing ---

    /// Ends every task, and waits until that is done: at most for `timeout`, and not at all on a thread that would wait for itself.
    pub(crate) fn close(self: &Arc<Self>, timeout: Option<Duration>, waits: bool) {
        self.closing.store(true, Ordering::SeqCst);
        self.scheduler.close();
        for (seat, station) in self.stations.iter().enumerate() {
            station.handle().wake();
            self.burn(seat);
            let waiting = std::mem::take(&mut self.places.lock().seats[seat].waiting);
            waiting.iter().for_each(|parker| parker.unpark());
        }
        self.finish();
        if !waits {
            return;
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut places = self.places.lock();
        while places.end != End::Gone {
            match deadline {
                None => places = self.gone.wait(places),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    (places, _) = self.gone.wait_timeout(places, left);
                }
            }
        }
    }

    /// Gives everything up, if nobody sits anywhere any more. Else ends what tasks there are at the seats that are free: somebody who
    /// has lent his may wait for one of them.
    fn finish(&self) {
        let mut swept = false;
        loop {
            let free: Vec<(usize, Post)> = {
                let mut places = self.places.lock();
                if places.end != End::NotYet {
                    return;
                }
                if places.lent == 0 && places.seats.iter().all(|place| place.post.is_some()) {
                    places.end = End::UnderWay;
                } else if swept {
                    return;
                }
                let seats = places.seats.iter_mut().enumerate();
                let free: Vec<_> = seats.filter_map(|(seat, place)| Some((seat, place.post.take()?))).collect();
                if places.end == End::UnderWay {
                    drop(places);
                    return self.give_up(free.into_iter().map(|(_, post)| post).collect());
                }
                free
            };
            for (seat, post) in free {
                post.end_tasks();
                self.lay_down(seat, post);
            }
            swept = true;
        }
    }

    /// The same on a thread of its own: a task was woken while nobody sits anywhere, and the waker is no place to end it.
    fn finish_elsewhere(self: &Arc<Self>) {
        if self.places.lock().end != End::NotYet {
            return;
        }
        let crew = Arc::clone(self);
        // If there are no threads left, who is waited for ends it when he comes.
        _ = std::thread::Builder::new().name("rt-closing".to_owned()).spawn(move || crew.finish());
    }

    /// Ends the last tasks and drops the workers.
    fn give_up(&self, posts: Vec<Post>) {
        // A task that somebody else is just waking arrives in the injection queue.
        while {
            posts.iter().for_each(|post| post.end_tasks());
            !posts.iter().all(|post| post.has_no_tasks())
        } {
            std::thread::yield_now();
        }
        posts[FRONT].close_injection();
        drop(posts);
        self.places.lock().end = End::Gone;
        self.gone.notify_all();
    }
}

impl Hold for Crew {
    fn hold(&self) {
        self.stations[FRONT].handle().clock().hold();
    }

    fn release(&self) {
        // Whoever sleeps last may move the time on now: somebody has to be that again.
        if self.stations[FRONT].handle().clock().release() {
            self.idle.wake_one();
        }
    }
}

/// A caller of `block_on` that waits for a seat.
pub(crate) struct Caller {
    crew: Arc<Crew>,
    parker: Arc<Parker>,
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.crew.calls[FRONT].callers.fetch_sub(1, Ordering::Relaxed);
        let vacant = {
            let mut places = self.crew.places.lock();
            let place = &mut places.seats[FRONT];
            place.waiting.retain(|waiting| !Arc::ptr_eq(waiting, &self.parker));
            place.post.is_some() && place.waiting.is_empty()
        };
        // A thread may have given way to a caller that does not come.
        if vacant && !self.crew.is_closing() {
            self.crew.staff_if_needed(FRONT);
        }
    }
}

/// A thread at a seat: puts the worker back when it is dropped, also by unwinding.
pub(crate) struct Seated<'a> {
    pub(crate) crew: &'a Arc<Crew>,
    pub(crate) seat: usize,
    pub(crate) post: Option<Post>,
}

impl Seated<'_> {
    pub(crate) fn worker(&self) -> &super::worker::Worker {
        self.post.as_ref().expect("there until it drops")
    }
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        if let Some(post) = self.post.take() {
            if self.crew.is_closing() {
                post.end_tasks();
            }
            self.crew.put(self.seat, post);
        }
    }
}

/// Wakes the worker of a seat, or has a thread started there.
pub(crate) struct SeatBell {
    seat: usize,
    reactor: Arc<reactor::Handle>,
    crew: OnceLock<Weak<Crew>>,
}

impl SeatBell {
    pub(crate) fn new(seat: usize, reactor: Arc<reactor::Handle>) -> Self {
        Self { seat, reactor, crew: OnceLock::new() }
    }

    pub(crate) fn set_crew(&self, crew: &Arc<Crew>) {
        let _ = self.crew.set(Arc::downgrade(crew));
    }
}

impl Bell for SeatBell {
    fn ring(&self) {
        self.reactor.wake();
        if let Some(crew) = self.crew.get().and_then(Weak::upgrade) {
            crew.staff(self.seat);
        }
    }
}

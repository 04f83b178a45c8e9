//! One buffer per thread, that bytes are read into on their way to somewhere else: what waits for bytes holds no memory for them.

use std::cell::Cell;

/// As much as one read takes at most. What a socket holds beyond it, the next read takes.
pub(crate) const LENGTH: usize = 64 * 1024;

thread_local! {
    /// `None` before the first use, and while it is in use.
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// The thread's buffer, until it is dropped.
pub(crate) struct Scratch(Option<Box<[u8]>>);

impl Scratch {
    /// Another one, where this thread's is in use already or the thread ends.
    #[inline]
    pub(crate) fn take() -> Self {
        let kept = SCRATCH.try_with(Cell::take).ok().flatten();
        Self(Some(kept.unwrap_or_else(|| vec![0; LENGTH].into())))
    }

    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut [u8] {
        self.0.as_mut().expect("only drop takes it")
    }

    #[cfg(unix)]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_ref().expect("only drop takes it")
    }
}

impl Drop for Scratch {
    #[inline]
    fn drop(&mut self) {
        let _ = SCRATCH.try_with(|place| place.set(self.0.take()));
    }
}

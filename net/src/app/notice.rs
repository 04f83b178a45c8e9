//! What a run has to tell.

use std::fmt;
use std::io::{self, Write};

/// Something that a run of an [`Application`](crate::app::Application) tells; see
/// [`Application::on_notice`](crate::app::Application::on_notice). Its text is what is printed if nobody asks for it.
#[derive(Clone, Debug)]
pub struct Notice {
    kind: NoticeKind,
    text: String,
}

/// What a [`Notice`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoticeKind {
    /// It starts, has started, reads its configuration, stops, has stopped.
    Progress,
    /// Who has not stopped: halfway to the deadline, at the deadline, or when it was told to end now.
    Late,
    /// Something failed.
    Failed,
    /// A child that nobody waits for was reaped. Not printed on stderr.
    Reaped,
}

impl Notice {
    pub(super) fn new(kind: NoticeKind, text: String) -> Self {
        Self { kind, text }
    }

    /// What it is about.
    pub fn kind(&self) -> NoticeKind {
        self.kind
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(feature = "tracing")]
pub(super) fn print(notice: &Notice) {
    if !tracing::dispatcher::has_been_set() {
        return print_on_stderr(notice);
    }
    match notice.kind {
        NoticeKind::Progress => tracing::info!(target: "rt::app", "{notice}"),
        NoticeKind::Late | NoticeKind::Failed => tracing::error!(target: "rt::app", "{notice}"),
        NoticeKind::Reaped => tracing::debug!(target: "rt::app", "{notice}"),
    }
}

#[cfg(not(feature = "tracing"))]
pub(super) fn print(notice: &Notice) {
    print_on_stderr(notice);
}

/// Not by `eprintln!`, which panics when nobody reads there any more: an application need not end for that.
fn print_on_stderr(notice: &Notice) {
    if notice.kind != NoticeKind::Reaped {
        let _ = writeln!(io::stderr(), "{notice}");
    }
}

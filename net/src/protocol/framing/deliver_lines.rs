//! Which lines a handler gets of bytes that have come.

use super::lines::{LineHandler, LineState, Lines};
use std::mem;

/// Why nothing more is delivered for now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// There is nothing left, or it has to wait.
    Rest,
    /// What is left has no delimiter.
    Partial,
    /// The handler put bytes behind what is left.
    Extended,
}

/// Delivers what there is to deliver of `lines.rest`. `RAW` says that this is a `LineReceiver`, not a `LineOnlyReceiver`.
pub(super) fn deliver<H: LineHandler, const RAW: bool>(handler: &mut H, lines: &mut Lines<'_>) -> Stop {
    while !lines.rest.is_empty() && !lines.is_paused() {
        if lines.state.is_raw {
            lines.raw = mem::take(&mut lines.rest);
            handler.raw_data_received(lines, lines.raw);
            lines.raw = &[];
            if !lines.state.held.is_empty() {
                return Stop::Extended;
            }
            continue;
        }
        let searched = search_limit::<RAW>(lines.state).min(lines.rest.len());
        let Some(at) = lines.state.delimiter.find(&lines.rest[..searched]) else {
            return deliver_unfinished::<H, RAW>(handler, lines);
        };
        let (line, rest) = lines.rest.split_at(at);
        lines.rest = &rest[lines.state.delimiter.len()..];
        if let Some(stop) = deliver_line::<H, RAW>(handler, lines, line) {
            return stop;
        }
    }
    Stop::Rest
}

/// How far a delimiter has to be looked for. For a `LineReceiver` a line that ends beyond it is as much too long as one without an end,
/// and the same is done about it.
pub(super) fn search_limit<const RAW: bool>(state: &LineState) -> usize {
    if RAW { state.limit() } else { usize::MAX }
}

/// Delivers a line, of which `lines.rest` is behind. It may be too long only for a `LineOnlyReceiver`: see [`search_limit`].
pub(super) fn deliver_line<H: LineHandler, const RAW: bool>(
    handler: &mut H,
    lines: &mut Lines<'_>,
    line: &[u8],
) -> Option<Stop> {
    if !RAW && (lines.is_disconnecting() || line.len() > lines.state.max_length) {
        lines.rest = lines.state.delimiter.last_part(lines.rest);
        if !lines.is_disconnecting() {
            handler.line_length_exceeded(lines, line);
        }
        return Some(Stop::Partial);
    }
    handler.line_received(lines, line);
    if RAW && lines.is_disconnecting() {
        return Some(Stop::Rest);
    }
    (!lines.state.held.is_empty()).then_some(Stop::Extended)
}

/// `lines.rest` has no delimiter within the search limit.
pub(super) fn deliver_unfinished<H: LineHandler, const RAW: bool>(handler: &mut H, lines: &mut Lines<'_>) -> Stop {
    let unfinished = lines.rest;
    if RAW && unfinished.len() >= lines.state.limit() {
        lines.rest = &[];
        handler.line_length_exceeded(lines, unfinished);
        return Stop::Rest;
    }
    if !RAW && unfinished.len() > lines.state.max_length {
        handler.line_length_exceeded(lines, unfinished);
    }
    Stop::Partial
}

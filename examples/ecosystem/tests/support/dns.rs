//! DNS messages made and read by hand, so that nothing here leans on the library that the server is made of.

#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) const A: u16 = 1;
pub(crate) const SOA: u16 = 6;
pub(crate) const TXT: u16 = 16;
pub(crate) const AAAA: u16 = 28;
pub(crate) const IN: u16 = 1;

/// A question, with the datagram size that the client takes if it says one.
pub(crate) fn question(id: u16, name: &str, kind: u16, edns: Option<u16>) -> Vec<u8> {
    let mut message = Vec::new();
    let additional = u16::from(edns.is_some());
    // Recursion desired; one question.
    for word in [id, 0x0100, 1, 0, 0, additional] {
        message.extend(word.to_be_bytes());
    }
    for label in name.split('.').filter(|label| !label.is_empty()) {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend(IN.to_be_bytes());
    if let Some(size) = edns {
        // The root, OPT, the size, no flags, no options.
        message.push(0);
        for word in [41, size, 0, 0, 0] {
            message.extend(word.to_be_bytes());
        }
    }
    message
}

/// What a test looks at of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) id: u16,
    pub(crate) is_answer: bool,
    pub(crate) authoritative: bool,
    pub(crate) truncated: bool,
    /// The four bits of the header, and those of EDNS above them.
    pub(crate) code: u16,
    /// Type and data of each record that answers.
    pub(crate) answers: Vec<(u16, Vec<u8>)>,
    /// Types only.
    pub(crate) authorities: Vec<u16>,
    /// The datagram size that the server takes.
    pub(crate) edns: Option<u16>,
}

pub(crate) fn read(message: &[u8]) -> Answer {
    let word = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let flags = word(2);
    let mut at = 12;
    for _ in 0..word(4) {
        at = after_name(message, at) + 4;
    }
    let mut record = || {
        at = after_name(message, at);
        let (kind, class, extended, length) = (word(at), word(at + 2), message[at + 4], usize::from(word(at + 8)));
        at += 10 + length;
        (kind, class, extended, message[at - length..at].to_vec())
    };
    let answers = (0..word(6)).map(|_| record()).map(|(kind, _, _, data)| (kind, data)).collect();
    let authorities = (0..word(8)).map(|_| record().0).collect();
    let opt = (0..word(10)).map(|_| record()).find(|(kind, ..)| *kind == 41);
    assert_eq!(at, message.len(), "bytes after the end");
    Answer {
        id: word(0),
        is_answer: flags & 0x8000 != 0,
        authoritative: flags & 0x0400 != 0,
        truncated: flags & 0x0200 != 0,
        code: flags & 0xf | opt.as_ref().map_or(0, |(_, _, extended, _)| u16::from(*extended) << 4),
        answers,
        authorities,
        edns: opt.map(|(_, class, ..)| class),
    }
}

fn after_name(message: &[u8], mut at: usize) -> usize {
    loop {
        match message[at] {
            0 => return at + 1,
            // A pointer to a name that was spelled before.
            length if length >= 0xc0 => return at + 2,
            length => at += 1 + usize::from(length),
        }
    }
}

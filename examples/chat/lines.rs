//! Lines from any input, a limit on each.

use futures_util::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// Most bytes in a line, its ending (`\n` or `\r\n`) not counted.
pub(crate) const MAX_LINE: usize = 4096;

pub(crate) struct Lines<R> {
    input: BufReader<R>,
    next: Next,
}

enum Next {
    Line,
    /// The rest of a line that was refused.
    Rest,
    /// Nothing: the last line had no ending. A terminal, asked again, would wait for another Ctrl-D.
    End,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input: BufReader::new(input), next: Next::Line }
    }

    /// The next line without its ending, or what is wrong with it; `None` at the end, also if that is a failure.
    ///
    /// A line that is wrong is lost, those after it are not.
    pub(crate) async fn next(&mut self) -> Option<Result<String, String>> {
        match self.next {
            Next::Line => {}
            Next::Rest => self.skip_line().await?,
            Next::End => return None,
        }
        let longest = MAX_LINE + "\r\n".len();
        let mut line = Vec::new();
        (&mut self.input).take(longest as u64).read_until(b'\n', &mut line).await.ok()?;
        if line.is_empty() {
            return None;
        }
        if line.pop_if(|last| *last == b'\n').is_some() {
            line.pop_if(|last| *last == b'\r');
        } else {
            self.next = if line.len() == longest { Next::Rest } else { Next::End };
        }
        Some(text(line))
    }

    /// Reads to the end for nothing.
    pub(crate) async fn discard(&mut self) {
        while self.skip_line().await.is_some() {}
    }

    async fn skip_line(&mut self) -> Option<()> {
        loop {
            let bytes = self.input.fill_buf().await.ok().filter(|bytes| !bytes.is_empty())?;
            let newline = bytes.iter().position(|byte| *byte == b'\n');
            let count = newline.map_or(bytes.len(), |at| at + 1);
            self.input.consume_unpin(count);
            if newline.is_some() {
                self.next = Next::Line;
                return Some(());
            }
        }
    }
}

fn text(line: Vec<u8>) -> Result<String, String> {
    if line.len() > MAX_LINE {
        return Err(format!("a line may have {MAX_LINE} bytes, and this one, which has more, is lost"));
    }
    let text = String::from_utf8(line).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("a line is text in UTF-8, and this one, which is not (byte {at}), is lost")
    })?;
    match text.chars().find(|c| c.is_control() && *c != '\t') {
        // They could play tricks on the terminals of the others.
        Some(control) => {
            Err(format!("a line is text without control characters, and this one, with {control:?}, is lost"))
        }
        None => Ok(text),
    }
}

use rt::protocol::{LineHandler, Lines, for_protocol};

struct Echo;

impl LineHandler for Echo {
    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        lines.send_line(line);
    }
}

fn main() {
    let _ = for_protocol(|| Echo);
}

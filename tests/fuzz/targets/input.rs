//! What a fuzzer's input means.

/// Takes choices from the front of an input; behind its end all of them are 0.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl Input<'_> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()]
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }
}

/// How a stream is cut into pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    Whole,
    Bytes,
    /// Pieces whose lengths follow from a number.
    Pieces(u8),
}

impl Cut {
    pub(crate) fn pieces(self, mut stream: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut state = match self {
            Cut::Pieces(seed) => u32::from(seed) + 1,
            Cut::Whole | Cut::Bytes => 0,
        };
        std::iter::from_fn(move || {
            let length = match self {
                Cut::Whole => stream.len(),
                Cut::Bytes => 1,
                Cut::Pieces(_) => {
                    state = state.wrapping_mul(0x915F_77F5).rotate_left(7).wrapping_add(0x2545);
                    1 + (state >> 3) as usize % if state.is_multiple_of(5) { 300 } else { 7 }
                }
            };
            let (piece, rest) = stream.split_at(length.min(stream.len()));
            stream = rest;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

//! A description, taken apart: `kind:value:name=value:…`, with backslashes before what is to be taken as it is.

use super::error::EndpointStringError;
use std::ops::Range;

/// A piece of a description, without its backslashes, and where it stands with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) place: Range<usize>,
}

/// What stands between two colons.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Argument {
    pub(super) name: Option<Piece>,
    pub(super) value: Piece,
}

/// The kind of endpoint, and what is said of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) kind: Piece,
    pub(super) arguments: Vec<Argument>,
}

/// Takes `description` apart.
pub(super) fn take_apart(description: &str) -> Result<Parts, EndpointStringError> {
    let mut arguments = Vec::new();
    let mut name = None;
    let mut piece = Piece { text: String::new(), place: 0..0 };
    let mut characters = description.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ':' => {
                let value = piece.ended_at(at);
                arguments.push(Argument { name: name.take(), value });
            }
            // Only the first one of an argument divides it.
            '=' if name.is_none() => name = Some(piece.ended_at(at)),
            '\\' => match characters.next() {
                Some((_, escaped)) => piece.text.push(escaped),
                None => return Err(EndpointStringError::new(description, at..at + 1, NOTHING_ESCAPED)),
            },
            other => piece.text.push(other),
        }
    }
    let value = piece.ended_at(description.len());
    arguments.push(Argument { name, value });
    let Argument { name, value: kind } = arguments.remove(0);
    match name {
        None => Ok(Parts { kind, arguments }),
        Some(name) => Err(EndpointStringError::new(
            description,
            name.place.start..kind.place.end,
            "a description begins with the kind of endpoint, and no \"=\" is in that",
        )),
    }
}

const NOTHING_ESCAPED: &str = "nothing follows the backslash; one that stands for itself is written twice";

impl Piece {
    /// The piece that ends here, without the colon or equals sign at `end`. The next one begins behind that.
    fn ended_at(&mut self, end: usize) -> Piece {
        let next = Piece { text: String::new(), place: end + 1..end + 1 };
        let mut piece = std::mem::replace(self, next);
        piece.place.end = end;
        piece
    }
}

/// `argument` in such a form that [`server_from_string`](super::server_from_string) and
/// [`client_from_string`](super::client_from_string) take it as one value, whatever is in it: colons, equals signs and backslashes get
/// a backslash before them.
///
/// Counterpart: `twisted.internet.endpoints.quoteStringArgument`, which leaves equals signs alone.
///
/// ```
/// use rt::protocol::quote_string_argument;
///
/// let path = "C:\\keys\\a=b.pem";
/// assert_eq!(quote_string_argument(path), "C\\:\\\\keys\\\\a\\=b.pem");
/// ```
pub fn quote_string_argument(argument: &str) -> String {
    let mut quoted = String::with_capacity(argument.len());
    for character in argument.chars() {
        if matches!(character, ':' | '=' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind and arguments, as text.
    fn apart(description: &str) -> (String, Vec<(Option<String>, String)>) {
        let parts = take_apart(description).unwrap();
        let arguments =
            parts.arguments.into_iter().map(|argument| (argument.name.map(|n| n.text), argument.value.text));
        (parts.kind.text, arguments.collect())
    }

    #[test]
    fn positional_and_named() {
        let expected = vec![(None, "b".to_owned()), (Some("d".to_owned()), "1".to_owned()), (None, "c".to_owned())];
        assert_eq!(apart("a:b:d=1:c"), ("a".to_owned(), expected));
    }

    #[test]
    fn only_the_first_equals_sign_divides() {
        assert_eq!(apart("a:b=c=d").1, [(Some("b".to_owned()), "c=d".to_owned())]);
        assert_eq!(apart(r"a:b\=c=d").1, [(Some("b=c".to_owned()), "d".to_owned())]);
    }

    #[test]
    fn a_backslash_takes_what_follows_as_it_is() {
        assert_eq!(apart(r"unix:C\:\\x\y").1, [(None, r"C:\xy".to_owned())]);
    }

    #[test]
    fn empty_pieces() {
        assert_eq!(apart(""), (String::new(), vec![]));
        assert_eq!(apart("a:"), ("a".to_owned(), vec![(None, String::new())]));
        assert_eq!(apart("a::=").1, [(None, String::new()), (Some(String::new()), String::new())]);
    }

    #[test]
    fn places_count_bytes_with_backslashes() {
        let parts = take_apart(r"ä:b\:c:d=é").unwrap();
        assert_eq!(parts.kind.place, 0..2);
        assert_eq!(parts.arguments[0].value.place, 3..7);
        assert_eq!(parts.arguments[1].name.as_ref().unwrap().place, 8..9);
        assert_eq!(parts.arguments[1].value.place, 10..12);
    }

    #[test]
    fn what_is_quoted_is_one_value() {
        for argument in ["", "plain", "a:b", r"\", r"\\:=:", "x=y", "ä=:ö"] {
            let (_, arguments) = apart(&format!("unix:{}", quote_string_argument(argument)));
            assert_eq!(arguments, [(None, argument.to_owned())]);
        }
    }
}

//! Boxes of AMP: as values, and on the wire.

use rt::protocol::amp::{AmpBox, BoxError, BoxLimits, BoxParser};

/// Two boxes and what they are on the wire, as Twisted writes them.
fn sample() -> (Vec<AmpBox>, Vec<u8>) {
    let mut first = AmpBox::new();
    first.insert("_ask", "1f").unwrap();
    first.insert("a", "").unwrap();
    first.insert(b"\xff\0", vec![b'x'; 300]).unwrap();
    let mut second = AmpBox::new();
    second.insert("key", "value").unwrap();
    let mut wire = b"\0\x04_ask\0\x021f\0\x01a\0\0\0\x02\xff\0\x01\x2c".to_vec();
    wire.extend([b'x'; 300]);
    wire.extend(b"\0\0\0\x03key\0\x05value\0\0");
    (vec![first, second], wire)
}

fn parse_pieces<'a>(limits: BoxLimits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<AmpBox>, BoxError> {
    let mut parser = BoxParser::new(limits);
    let mut boxes = Vec::new();
    for mut piece in pieces {
        while let Some(whole) = parser.next_box(&mut piece)? {
            boxes.push(whole);
        }
        assert!(piece.is_empty());
    }
    if parser.is_in_box() { Err(BoxError::CutOff) } else { Ok(boxes) }
}

#[test]
fn to_the_wire_and_back() {
    let (boxes, wire) = sample();
    assert_eq!(boxes.iter().flat_map(AmpBox::serialize).collect::<Vec<u8>>(), wire);
    assert_eq!(AmpBox::parse(&wire).unwrap(), boxes);
}

#[test]
fn every_split_into_two() {
    let (boxes, wire) = sample();
    for at in 0..=wire.len() {
        let (one, two) = wire.split_at(at);
        assert_eq!(parse_pieces(BoxLimits::default(), [one, two]).unwrap(), boxes, "split at {at}");
    }
}

#[test]
fn byte_by_byte_and_in_pieces_of_every_size() {
    let (boxes, wire) = sample();
    for size in 1..wire.len() {
        assert_eq!(parse_pieces(BoxLimits::default(), wire.chunks(size)).unwrap(), boxes, "pieces of {size}");
    }
}

#[test]
fn cut_off_anywhere() {
    let (boxes, wire) = sample();
    let first = boxes[0].serialize().len();
    for at in (1..first).chain(first + 1..wire.len()) {
        assert_eq!(AmpBox::parse(&wire[..at]), Err(BoxError::CutOff), "cut at {at}");
    }
}

#[test]
fn empty_box_and_empty_value() {
    assert_eq!(AmpBox::parse(b"\0\0").unwrap(), [AmpBox::new()]);
    assert_eq!(AmpBox::new().serialize(), b"\0\0");
    let [one] = &AmpBox::parse(b"\0\x01k\0\0\0\0").unwrap()[..] else { panic!("one box") };
    assert_eq!((one.get("k"), one.get("l"), one.len()), (Some(&b""[..]), None, 1));
}

#[test]
fn keys_in_any_order_and_twice() {
    let [one] = &AmpBox::parse(b"\0\x01b\0\x011\0\x01a\0\x012\0\x01b\0\x013\0\x01a\0\x014\0\0").unwrap()[..] else {
        panic!("one box")
    };
    assert_eq!(one.iter().collect::<Vec<_>>(), [(&b"a"[..], &b"4"[..]), (b"b", b"3")]);
    assert_eq!(one.serialize(), b"\0\x01a\0\x014\0\x01b\0\x013\0\0");
}

#[test]
fn inserted_replaced_and_removed() {
    let mut fields = AmpBox::new();
    for (key, value) in [("m", "1"), ("z", "2"), ("a", "3"), ("m", "four")] {
        fields.insert(key, value).unwrap();
    }
    assert_eq!(format!("{fields:?}"), r#"{"a": "3", "m": "four", "z": "2"}"#);
    assert_eq!(fields.remove("m"), Some(b"four".to_vec()));
    assert_eq!(fields.remove("m"), None);
    assert_eq!(format!("{fields:?}"), r#"{"a": "3", "z": "2"}"#);
}

#[test]
fn longest_key_and_value() {
    let (key, value) = (vec![b'k'; 255], vec![b'v'; 65_535]);
    let mut fields = AmpBox::new();
    fields.insert(&key, &value).unwrap();
    let [again] = &AmpBox::parse(&fields.serialize()).unwrap()[..] else { panic!("one box") };
    assert_eq!(again.get(&key), Some(&value[..]));
}

#[test]
fn too_long_or_empty_to_insert() {
    let mut fields = AmpBox::new();
    assert_eq!(fields.insert([b'k'; 256], ""), Err(BoxError::KeyTooLong { length: 256 }));
    assert_eq!(fields.insert("", "value"), Err(BoxError::EmptyKey));
    let error = fields.insert("k", vec![b'v'; 65_536]).unwrap_err();
    assert_eq!(error.to_string(), "a value of 65536 bytes for the key k: an AMP box has values of at most 65535");
    assert!(fields.is_empty());
}

#[test]
fn key_too_long_is_refused_before_it_comes() {
    let mut parser = BoxParser::new(BoxLimits::default());
    // What a web browser sends.
    let mut piece: &[u8] = b"GE";
    assert_eq!(parser.next_box(&mut piece), Err(BoxError::KeyTooLong { length: 0x4745 }));
    assert_eq!(parser.next_box(&mut &b"\0\0"[..]), Err(BoxError::KeyTooLong { length: 0x4745 }));
    assert_eq!(AmpBox::parse(b"\x01\0"), Err(BoxError::KeyTooLong { length: 256 }));
}

#[test]
fn as_many_keys_as_allowed_and_one_more() {
    let limits = BoxLimits { keys: 2, ..BoxLimits::default() };
    let two: &[u8] = b"\0\x01a\0\0\0\x01b\0\0\0\0";
    assert_eq!(parse_pieces(limits, [two]).unwrap().len(), 1);
    // The same key counts each time.
    let three: &[u8] = b"\0\x01a\0\0\0\x01a\0\0\0\x01";
    assert_eq!(parse_pieces(limits, [three]), Err(BoxError::TooManyKeys { limit: 2 }));
}

#[test]
fn as_many_bytes_as_allowed_and_one_more() {
    let wire: &[u8] = b"\0\x01a\0\x02xy\0\0";
    let limits = |bytes| BoxLimits { bytes, ..BoxLimits::default() };
    for size in 1..=wire.len() {
        let pieces = || wire.chunks(size);
        assert_eq!(parse_pieces(limits(wire.len()), pieces()).unwrap().len(), 1);
        assert_eq!(parse_pieces(limits(wire.len() - 1), pieces()), Err(BoxError::TooLarge { limit: 8 }));
    }
    // By what is announced, not by what has come.
    let announced: &[u8] = b"\0\x01a\xff\xff";
    assert_eq!(parse_pieces(limits(1000), [announced]), Err(BoxError::TooLarge { limit: 1000 }));
}

#[test]
fn limits_count_for_each_box() {
    let wire = b"\0\x01a\0\x02xy\0\0".repeat(100);
    let limits = BoxLimits { keys: 1, bytes: 9 };
    assert_eq!(parse_pieces(limits, [&wire[..]]).unwrap().len(), 100);
    assert_eq!(parse_pieces(limits, wire.chunks(7)).unwrap().len(), 100);
}

//! Descriptions of endpoints.

use rt::protocol::{EndpointStringError, client_from_string, quote_string_argument, server_from_string};

/// A description, and the same as one argument.
pub(crate) fn endpoint_strings(data: &[u8]) {
    let description = String::from_utf8_lossy(data);
    let quoted = quote_string_argument(&description);
    for description in [&*description, &quoted, &format!("tcp:{quoted}"), &format!("unix:{quoted}:mode={quoted}")] {
        let results = [client_from_string(description).map(drop), server_from_string(description).map(drop)];
        for error in results.into_iter().filter_map(Result::err) {
            tells_its_place(description, &error);
        }
    }
}

fn tells_its_place(description: &str, error: &EndpointStringError) {
    assert_eq!(error.description(), description);
    assert!(description.is_char_boundary(error.offset()), "{error}");
    assert!(!error.reason().is_empty());
    assert!(error.to_string().starts_with(error.reason()));
}

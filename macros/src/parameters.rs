//! The parameters of a function, one by one.

use crate::function::{Attribute, is_ident, is_punct, take_attributes};
use proc_macro::{Ident, Spacing, Span, TokenStream, TokenTree};

/// One parameter, in its parts.
pub(crate) struct Parameter {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    /// `self` in any of its forms.
    Receiver(Vec<TokenTree>),
    /// `pattern: Type`.
    Typed { pattern: Vec<TokenTree>, colon: TokenTree, ty: Vec<TokenTree> },
    /// What the compiler will refuse.
    Other(Vec<TokenTree>),
}

impl Parameter {
    pub(crate) fn parse_all(arguments: TokenStream) -> Vec<Self> {
        split_at_commas(arguments).into_iter().map(Self::parse).collect()
    }

    fn parse(tokens: Vec<TokenTree>) -> Self {
        let mut rest = TokenStream::from_iter(tokens.iter().cloned()).into_iter().peekable();
        let Some(attributes) = take_attributes(&mut rest) else {
            return Self { attributes: Vec::new(), kind: Kind::Other(tokens) };
        };
        let rest: Vec<TokenTree> = rest.collect();
        let colon = colon(&rest);
        let before_colon = &rest[..colon.unwrap_or(rest.len())];
        let kind = if before_colon.last().is_some_and(|token| is_ident(token, "self")) {
            Kind::Receiver(rest)
        } else if let Some(colon) = colon {
            Kind::Typed { pattern: rest[..colon].to_vec(), colon: rest[colon].clone(), ty: rest[colon + 1..].to_vec() }
        } else {
            Kind::Other(rest)
        };
        Self { attributes, kind }
    }
}

/// The name in a pattern that is `name` or `mut name`.
pub(crate) fn name_in(pattern: &[TokenTree]) -> Option<&Ident> {
    match pattern {
        [TokenTree::Ident(name)] if name.to_string() != "_" => Some(name),
        [TokenTree::Ident(word), TokenTree::Ident(name)] if word.to_string() == "mut" => Some(name),
        _ => None,
    }
}

/// The first token of a type that borrows, unless it borrows for `'static`.
pub(crate) fn borrow_at_start(ty: &[TokenTree]) -> Option<Span> {
    let [ampersand, rest @ ..] = ty else { return None };
    let is_static = matches!(rest, [quote, lifetime, ..] if is_punct(quote, '\'') && is_ident(lifetime, "static"));
    (is_punct(ampersand, '&') && !is_static).then(|| ampersand.span())
}

/// The colon between a pattern and its type: the first that is not part of a `::`.
fn colon(tokens: &[TokenTree]) -> Option<usize> {
    let mut is_second = false;
    tokens.iter().position(|token| match token {
        TokenTree::Punct(punct) if punct.as_char() == ':' && !is_second => {
            is_second = punct.spacing() == Spacing::Joint;
            !is_second
        }
        _ => {
            is_second = false;
            false
        }
    })
}

/// The parts between commas, except those between `<` and `>`. The `>` of an arrow closes nothing.
pub(crate) fn split_at_commas(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![];
    let mut part = Vec::new();
    let mut depth = 0_usize;
    let mut arrow = false;
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' && !arrow => depth = depth.saturating_sub(1),
            _ => {}
        }
        arrow = is_punct(&token, '-');
        if depth == 0 && is_punct(&token, ',') {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(token);
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

//! A refusal: a sentence for the user, and the tokens it is about.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// Why the macro cannot do what it is asked, from the first token that is wrong to the last.
#[derive(Debug)]
pub(crate) struct Refusal {
    sentence: String,
    first: Span,
    last: Span,
}

impl Refusal {
    pub(crate) fn at(span: Span, sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), first: span, last: span }
    }

    /// About `tokens`, or about the whole attribute if there are none.
    pub(crate) fn over(tokens: &[TokenTree], sentence: impl Into<String>) -> Self {
        let span = |token: Option<&TokenTree>| token.map_or_else(Span::call_site, TokenTree::span);
        Self { sentence: sentence.into(), first: span(tokens.first()), last: span(tokens.last()) }
    }

    /// `::core::compile_error! { "sentence" }`. The compiler underlines from the span of its first token to that of its
    /// last.
    pub(crate) fn into_compile_error(self) -> TokenStream {
        let punct = |character, spacing| {
            let mut punct = Punct::new(character, spacing);
            punct.set_span(self.first);
            TokenTree::from(punct)
        };
        let mut sentence = Literal::string(&self.sentence);
        sentence.set_span(self.last);
        let mut braces = Group::new(Delimiter::Brace, TokenTree::from(sentence).into());
        braces.set_span(self.last);
        TokenStream::from_iter([
            punct(':', Spacing::Joint),
            punct(':', Spacing::Alone),
            Ident::new("core", self.first).into(),
            punct(':', Spacing::Joint),
            punct(':', Spacing::Alone),
            Ident::new("compile_error", self.first).into(),
            punct('!', Spacing::Alone),
            braces.into(),
        ])
    }
}

//! The item under the attribute, taken apart as far as the macros need it: everything up to the body.

use crate::refusal::Refusal;
use proc_macro::{Delimiter, Group, Ident, TokenStream, TokenTree};
use std::iter::Peekable;

/// A function in its parts, in the order in which they stand in the source.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: TokenStream,
    /// `async`, and what else stands there.
    qualifiers: Vec<TokenTree>,
    fn_keyword: Ident,
    pub(crate) name: Ident,
    pub(crate) generics: Vec<TokenTree>,
    pub(crate) arguments: Group,
    /// `-> Type`, or nothing.
    pub(crate) output: TokenStream,
    pub(crate) where_clause: Vec<TokenTree>,
    pub(crate) body: Group,
}

/// `#[...]`.
#[derive(Clone)]
pub(crate) struct Attribute {
    pound: TokenTree,
    brackets: TokenTree,
}

pub(crate) type Tokens = Peekable<proc_macro::token_stream::IntoIter>;

impl Function {
    /// `None` when the item is no function with a body.
    pub(crate) fn parse(item: TokenStream) -> Option<Self> {
        let mut tokens = item.into_iter().peekable();
        let attributes = take_attributes(&mut tokens)?;
        let visibility = take_visibility(&mut tokens);
        let qualifiers = take_qualifiers(&mut tokens);
        let (fn_keyword, name) = (take_ident(&mut tokens)?, take_ident(&mut tokens)?);
        if fn_keyword.to_string() != "fn" {
            return None;
        }
        let generics = take_generics(&mut tokens);
        let arguments = as_group(tokens.next()?, Delimiter::Parenthesis)?;

        let mut rest: Vec<TokenTree> = tokens.collect();
        let body = as_group(rest.pop()?, Delimiter::Brace)?;
        let output_end = rest.iter().position(|token| is_ident(token, "where")).unwrap_or(rest.len());
        let where_clause = rest.split_off(output_end);
        let output = TokenStream::from_iter(rest);
        Some(Self {
            attributes,
            visibility,
            qualifiers,
            fn_keyword,
            name,
            generics,
            arguments,
            output,
            where_clause,
            body,
        })
    }

    /// Refuses what is no plain `async fn`, for `attribute` (`#[rt::main]`).
    pub(crate) fn check_qualifiers(&self, attribute: &str) -> Result<(), Refusal> {
        if !self.qualifiers.iter().any(|token| is_ident(token, "async")) {
            return Err(Refusal::at(
                self.fn_keyword.span(),
                format!("{attribute} goes on an `async fn`: put `async` in front of `fn`"),
            ));
        }
        if let Some(other) = self.qualifiers.iter().find(|token| !is_ident(token, "async")) {
            return Err(Refusal::at(other.span(), format!("{attribute} goes on a plain `async fn`: remove `{other}`")));
        }
        Ok(())
    }

    /// Refuses what takes something, for `attribute` (`#[rt::main]`), which calls it with nothing.
    pub(crate) fn check_takes_nothing(&self, attribute: &str) -> Result<(), Refusal> {
        if !self.generics.is_empty() {
            let sentence =
                format!("the function under {attribute} takes no generic parameters: nobody would choose them");
            return Err(Refusal::over(&self.generics, sentence));
        }
        if !self.arguments.stream().is_empty() {
            let sentence = format!("the function under {attribute} takes no arguments: nobody would pass them");
            return Err(Refusal::at(self.arguments.span(), sentence));
        }
        if !self.where_clause.is_empty() {
            let sentence =
                format!("the function under {attribute} takes no `where` clause: it has no parameters to bound");
            return Err(Refusal::over(&self.where_clause, sentence));
        }
        Ok(())
    }

    /// The function as it was written, without its attributes and visibility: all spans are the user's.
    pub(crate) fn into_inner(self) -> TokenStream {
        let mut inner = TokenStream::from_iter(self.qualifiers);
        inner.extend([TokenTree::from(self.fn_keyword), self.name.into()]);
        inner.extend(self.generics);
        inner.extend([TokenTree::from(self.arguments)]);
        inner.extend(self.output);
        inner.extend(self.where_clause);
        inner.extend([TokenTree::from(self.body)]);
        inner
    }
}

impl Attribute {
    /// Whether it is `#[test]`, `#[core::prelude::v1::test]`, `#[other::test(...)]`.
    pub(crate) fn makes_a_test(&self) -> bool {
        let TokenTree::Group(brackets) = &self.brackets else { return false };
        let path_end = |token: &TokenTree| !matches!(token, TokenTree::Ident(_)) && !is_punct(token, ':');
        let mut last = None;
        for token in brackets.stream() {
            if path_end(&token) {
                break;
            }
            last = Some(token);
        }
        last.is_some_and(|segment| is_ident(&segment, "test"))
    }

    /// Whether it is `#[name]`.
    pub(crate) fn is(&self, name: &str) -> bool {
        let TokenTree::Group(brackets) = &self.brackets else { return false };
        let mut tokens = brackets.stream().into_iter();
        tokens.next().is_some_and(|token| is_ident(&token, name)) && tokens.next().is_none()
    }

    /// What stands in the parentheses of `#[name(...)]`.
    pub(crate) fn arguments(&self, name: &str) -> Option<TokenStream> {
        let TokenTree::Group(brackets) = &self.brackets else { return None };
        let mut tokens = brackets.stream().into_iter();
        tokens.next().filter(|token| is_ident(token, name))?;
        Some(as_group(tokens.next()?, Delimiter::Parenthesis)?.stream())
    }

    pub(crate) fn refuse(&self, sentence: impl Into<String>) -> Refusal {
        Refusal::over(&[self.pound.clone(), self.brackets.clone()], sentence)
    }
}

impl From<Attribute> for TokenStream {
    fn from(attribute: Attribute) -> Self {
        Self::from_iter([attribute.pound, attribute.brackets])
    }
}

pub(crate) fn take_attributes(tokens: &mut Tokens) -> Option<Vec<Attribute>> {
    let mut attributes = Vec::new();
    while let Some(pound) = tokens.next_if(|token| is_punct(token, '#')) {
        attributes.push(Attribute { pound, brackets: tokens.next()? });
    }
    Some(attributes)
}

/// `pub`, `pub(crate)`, or the invisible group of a `$visibility:vis`.
pub(crate) fn take_visibility(tokens: &mut Tokens) -> TokenStream {
    let is_group =
        |token: &TokenTree, delimiter| matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter);
    let mut visibility = TokenStream::new();
    if let Some(group) = tokens.next_if(|token| is_group(token, Delimiter::None)) {
        visibility.extend([group]);
    } else if let Some(word) = tokens.next_if(|token| is_ident(token, "pub")) {
        visibility.extend([word]);
        visibility.extend(tokens.next_if(|token| is_group(token, Delimiter::Parenthesis)));
    }
    visibility
}

fn take_qualifiers(tokens: &mut Tokens) -> Vec<TokenTree> {
    let is_qualifier = |token: &TokenTree| match token {
        TokenTree::Ident(word) => matches!(word.to_string().as_str(), "async" | "const" | "unsafe" | "safe" | "extern"),
        // The ABI behind `extern`.
        token => matches!(token, TokenTree::Literal(_)),
    };
    std::iter::from_fn(|| tokens.next_if(is_qualifier)).collect()
}

pub(crate) fn take_ident(tokens: &mut Tokens) -> Option<Ident> {
    match tokens.next()? {
        TokenTree::Ident(ident) => Some(ident),
        _ => None,
    }
}

/// From `<` to the `>` that closes it, or nothing. The `>` of an arrow closes nothing.
pub(crate) fn take_generics(tokens: &mut Tokens) -> Vec<TokenTree> {
    let mut generics = Vec::new();
    let mut depth = 0;
    let mut arrow = false;
    while let Some(token) = tokens.next_if(|token| depth > 0 || is_punct(token, '<')) {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' && !arrow => depth -= 1,
            _ => {}
        }
        arrow = is_punct(&token, '-');
        generics.push(token);
        if depth == 0 {
            break;
        }
    }
    generics
}

/// The group with this delimiter, also inside of the invisible one of a `$body:block`.
pub(crate) fn as_group(token: TokenTree, delimiter: Delimiter) -> Option<Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == delimiter => Some(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inner = group.stream().into_iter();
            let only = inner.next()?;
            if inner.next().is_some() { None } else { as_group(only, delimiter) }
        }
        _ => None,
    }
}

pub(crate) fn is_ident(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}

pub(crate) fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

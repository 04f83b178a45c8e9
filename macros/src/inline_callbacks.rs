//! What `#[rt::inline_callbacks]` turns an `async fn` into: a plain function that starts a coroutine.
//!
//! The body becomes an `async move` block. Its type is written down twice, for `return` and `?` and for the last
//! expression, so that both coerce as in any `async fn`. Each argument is moved into the block by name, also where the
//! body does not use it, and bound to its pattern there: it lives as long as the coroutine.

use crate::args::{parse_crate_path, respan};
use crate::expand::{code, with_refusals};
use crate::function::{Function, is_ident, is_punct};
use crate::parameters::{Kind, Parameter, borrow_at_start, name_in};
use crate::refusal::Refusal;
use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

const ATTRIBUTE: &str = "`#[rt::inline_callbacks]`";

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let (path, mut refusals) = match parse_crate_path(arguments) {
        Ok(path) => (path.unwrap_or_else(|| code("::rt")), Vec::new()),
        Err(refusal) => (code("::rt"), vec![refusal]),
    };
    let Some(function) = Function::parse(item.clone()) else {
        let start: Vec<TokenTree> = item.clone().into_iter().take(1).collect();
        refusals.push(Refusal::over(&start, format!("{ATTRIBUTE} goes on an `async fn` with a body")));
        return with_refusals(refusals, item);
    };
    let parameters = Parameter::parse_all(function.arguments.stream());
    if let Err(refusal) = check(&function, &parameters) {
        refusals.push(refusal);
        return with_refusals(refusals, item);
    }
    with_refusals(refusals, start_coroutine(&path, function, parameters))
}

fn check(function: &Function, parameters: &[Parameter]) -> Result<(), Refusal> {
    function.check_qualifiers(ATTRIBUTE)?;
    for parameter in parameters {
        match &parameter.kind {
            Kind::Receiver(receiver) => {
                let colon = receiver.iter().position(|token| is_punct(token, ':'));
                let ty = colon.map_or(&receiver[..], |colon| &receiver[colon + 1..]);
                if borrow_at_start(ty).is_some() {
                    let sentence = "the coroutine outlives this call, so it cannot borrow `self`: take `self`, \
                                    `self: Rc<Self>`, or clones of the fields that it needs";
                    return Err(Refusal::over(receiver, sentence));
                }
            }
            Kind::Typed { ty, .. } => {
                if borrow_at_start(ty).is_some() {
                    let sentence = "the coroutine outlives this call, so it cannot borrow an argument: take it by \
                                    value (`String` in place of `&str`), shared (`Rc<T>`), or as `&'static T`";
                    return Err(Refusal::over(ty, sentence));
                }
            }
            Kind::Other(_) => {}
        }
    }
    if let Some(opaque) = function.output.clone().into_iter().find(|token| is_ident(token, "impl")) {
        let sentence = format!(
            "the `Deferred` that {ATTRIBUTE} returns names its value, and an `impl Trait` has no \
                                name: write the type, or `Box<dyn Trait>`"
        );
        return Err(Refusal::at(opaque.span(), sentence));
    }
    Ok(())
}

/// `[attributes] #[track_caller] [visibility] fn name<..>(..) -> Deferred<..> [where ..] { inline_callbacks(..) }`
fn start_coroutine(path: &TokenStream, mut function: Function, parameters: Vec<Parameter>) -> TokenStream {
    let returned = returned(&function);
    // The Deferred is made where the function is called.
    let is_tracked = function.attributes.iter().any(|attribute| attribute.is("track_caller"));
    let mut expanded: TokenStream = function.attributes.drain(..).map(TokenStream::from).collect();
    if !is_tracked {
        expanded.extend(code("#[track_caller]"));
    }
    expanded.extend(function.visibility);
    expanded.extend(code("fn"));
    expanded.extend([TokenTree::from(function.name)]);
    expanded.extend(function.generics);

    let mut outside = TokenStream::new();
    let mut inside = TokenStream::new();
    for (index, parameter) in parameters.into_iter().enumerate() {
        move_in(parameter, index, &mut outside, &mut inside);
    }
    expanded.extend([TokenTree::from(delimited(Delimiter::Parenthesis, outside, function.arguments.span()))]);
    expanded.extend(code("->"));
    expanded.extend(deferred(path, &returned));
    expanded.extend(function.where_clause);

    inside.extend(body(&returned, function.body));
    let mut coroutine = code("async move");
    coroutine.extend([TokenTree::from(Group::new(Delimiter::Brace, inside))]);
    let mut start = path.clone();
    start.extend(code("::deferred::inline_callbacks"));
    start.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, coroutine))]);
    expanded.extend([TokenTree::from(Group::new(Delimiter::Brace, start))]);
    expanded
}

/// The type behind the arrow; without one, `()`.
fn returned(function: &Function) -> Vec<TokenTree> {
    let returned: Vec<TokenTree> = function.output.clone().into_iter().skip(2).collect();
    if returned.is_empty() { code("()").into_iter().collect() } else { returned }
}

/// `path::deferred::Deferred<<Returned as path::deferred::CoroutineOutput>::Value>`. It stands where the returned type
/// does, so that the compiler says there what is wrong with it.
fn deferred(path: &TokenStream, returned: &[TokenTree]) -> TokenStream {
    let first = returned.first().map_or_else(Span::call_site, TokenTree::span);
    let last = returned.last().map_or_else(Span::call_site, TokenTree::span);
    let open = TokenStream::from_iter([path.clone(), code("::deferred::Deferred<<")]);
    let close = TokenStream::from_iter([code("as"), path.clone(), code("::deferred::CoroutineOutput>::Value>")]);
    let mut deferred = respan(open, Span::call_site().located_at(first));
    deferred.extend(returned.iter().cloned());
    deferred.extend(respan(close, Span::call_site().located_at(last)));
    deferred
}

/// Writes the parameter of the function that is called, and what binds it in the coroutine.
fn move_in(parameter: Parameter, index: usize, outside: &mut TokenStream, inside: &mut TokenStream) {
    let attributes: TokenStream = parameter.attributes.into_iter().map(TokenStream::from).collect();
    outside.extend(attributes.clone());
    match parameter.kind {
        Kind::Receiver(receiver) => {
            inside.extend(code("let _ = &"));
            inside.extend(receiver.iter().find(|token| is_ident(token, "self")).cloned());
            inside.extend(code(";"));
            outside.extend(receiver);
        }
        Kind::Typed { pattern, colon, ty } => {
            let named = name_in(&pattern).cloned();
            let name = named.clone().unwrap_or_else(|| Ident::new(&format!("argument_{index}"), Span::mixed_site()));
            let own = vec![TokenTree::from(name.clone())];
            if named.is_none() {
                inside.extend(binding(&attributes, own.clone(), &name));
            }
            inside.extend(binding(&attributes, pattern, &name));
            outside.extend(own.into_iter().chain([colon]).chain(ty));
        }
        Kind::Other(other) => outside.extend(other),
    }
    outside.extend(code(","));
}

/// `let pattern = name;`
fn binding(attributes: &TokenStream, pattern: Vec<TokenTree>, name: &Ident) -> TokenStream {
    let mut binding = attributes.clone();
    binding.extend(code("#[allow(clippy::redundant_locals)] let"));
    binding.extend(pattern);
    binding.extend(code("="));
    binding.extend([TokenTree::from(name.clone())]);
    binding.extend(code(";"));
    binding
}

/// The user's body, as a block of the returned type.
fn body(returned: &[TokenTree], block: Group) -> TokenStream {
    let local = |source: &str| respan(code(source), Span::mixed_site());
    let mut body = local("if let ::core::option::Option::Some(early) = ::core::option::Option::None::<");
    body.extend(returned.iter().cloned());
    body.extend(local("> { return early; }"));
    let (attributes, block) = take_inner_attributes(&block);
    body.extend(attributes);
    body.extend(local("#[allow(unused_braces, clippy::let_unit_value, clippy::diverging_sub_expression)] let output:"));
    body.extend(returned.iter().cloned());
    body.extend(local("="));
    body.extend([TokenTree::from(block)]);
    body.extend(local("; #[allow(unreachable_code)] output"));
    body
}

/// The `#![...]` at the start of a block, as `#[...]` for what it becomes a part of: a block that is no function's body
/// may have none.
fn take_inner_attributes(block: &Group) -> (TokenStream, Group) {
    let mut tokens = block.stream().into_iter().peekable();
    let mut attributes = TokenStream::new();
    let mut rest = TokenStream::new();
    while let Some(pound) = tokens.next_if(|token| is_punct(token, '#')) {
        if tokens.next_if(|token| is_punct(token, '!')).is_none() {
            // It is the attribute of the first statement.
            rest.extend([pound]);
            break;
        }
        attributes.extend([pound]);
        attributes.extend(tokens.next());
    }
    rest.extend(tokens);
    (attributes, delimited(Delimiter::Brace, rest, block.span()))
}

fn delimited(delimiter: Delimiter, tokens: TokenStream, span: Span) -> Group {
    let mut group = Group::new(delimiter, tokens);
    group.set_span(span);
    group
}

//! `#[derive(Command)]` and `#[derive(Arguments)]` of `rt::protocol::amp`.

use crate::expand::code;
use crate::function::{
    Attribute, as_group, is_ident, is_punct, take_attributes, take_generics, take_ident, take_visibility,
};
use crate::parameters::{Kind, Parameter, split_at_commas};
use crate::refusal::Refusal;
use proc_macro::{Delimiter, Group, Ident, Literal, TokenStream, TokenTree};

pub(crate) fn derive_arguments(item: TokenStream) -> TokenStream {
    expand(item, Role::Arguments)
}

pub(crate) fn derive_command(item: TokenStream) -> TokenStream {
    expand(item, Role::Command)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Arguments,
    Command,
}

impl Role {
    fn derive(self) -> &'static str {
        match self {
            Role::Arguments => "`#[derive(Arguments)]`",
            Role::Command => "`#[derive(Command)]`",
        }
    }

    fn options(self) -> &'static str {
        match self {
            Role::Arguments => {
                "the only argument on the struct is `crate = \"path::to::rt\"`; a field may have `name = \"key\"`"
            }
            Role::Command => {
                "the arguments are `response = Type`, `name = \"name\"`, `errors(Type = \"CODE\", ...)`, \
                 `fatal_errors(Type = \"CODE\", ...)` and `crate = \"path::to::rt\"`"
            }
        }
    }
}

fn expand(item: TokenStream, role: Role) -> TokenStream {
    let expanded = Struct::parse(item, role).and_then(|item| {
        let options = Options::parse(&item.attributes, role)?;
        let mut expanded = arguments_impl(&item, &options);
        if role == Role::Command {
            expanded.extend(command_impl(&item, options));
        }
        Ok(expanded)
    });
    expanded.unwrap_or_else(Refusal::into_compile_error)
}

/// A struct in the parts that matter here.
struct Struct {
    attributes: Vec<Attribute>,
    name: Ident,
    fields: Vec<Field>,
}

struct Field {
    name: Ident,
    key: Literal,
    ty: Vec<TokenTree>,
}

impl Struct {
    fn parse(item: TokenStream, role: Role) -> Result<Self, Refusal> {
        let start: Vec<TokenTree> = item.clone().into_iter().take(1).collect();
        let no_struct = |tokens: &[TokenTree]| {
            Refusal::over(tokens, format!("{} goes on a struct with named fields, or with none", role.derive()))
        };
        let mut tokens = item.into_iter().peekable();
        let attributes = take_attributes(&mut tokens).ok_or_else(|| no_struct(&start))?;
        take_visibility(&mut tokens);
        let keyword = take_ident(&mut tokens).ok_or_else(|| no_struct(&start))?;
        if keyword.to_string() != "struct" {
            return Err(no_struct(&[keyword.into()]));
        }
        let name = take_ident(&mut tokens).ok_or_else(|| no_struct(&start))?;
        let generics = take_generics(&mut tokens);
        if !generics.is_empty() {
            let sentence =
                format!("{} goes on a struct without generic parameters: the wire has no types", role.derive());
            return Err(Refusal::over(&generics, sentence));
        }
        let fields = match tokens.next() {
            Some(body) if is_punct(&body, ';') => Vec::new(),
            Some(body) => match as_group(body.clone(), Delimiter::Brace) {
                Some(body) => {
                    Parameter::parse_all(body.stream()).into_iter().map(Field::new).collect::<Result<_, _>>()?
                }
                None => return Err(no_struct(&[body])),
            },
            None => return Err(no_struct(&start)),
        };
        Ok(Self { attributes, name, fields })
    }
}

impl Field {
    fn new(parameter: Parameter) -> Result<Self, Refusal> {
        let Kind::Typed { pattern, ty, .. } = parameter.kind else {
            unreachable!("the compiler lets a derive see no other fields");
        };
        let Some(TokenTree::Ident(name)) = pattern.last() else {
            unreachable!("the compiler lets a derive see no other fields");
        };
        let plain = name.to_string();
        let mut key = Literal::string(plain.strip_prefix("r#").unwrap_or(&plain));
        for argument in amp_arguments(&parameter.attributes) {
            const OPTIONS: &str = "on a field the only argument is `name = \"key\"`";
            match argument.as_slice() {
                [word, equals, value] if is_ident(word, "name") && is_punct(equals, '=') => {
                    key = text(value, "name", 255)?;
                }
                _ => return Err(Refusal::over(&argument, OPTIONS)),
            }
        }
        Ok(Self { name: name.clone(), key, ty })
    }
}

/// What stands in `#[amp(...)]`.
struct Options {
    /// The path to `rt::protocol::amp`.
    path: TokenStream,
    name: Option<Literal>,
    response: TokenStream,
    errors: TokenStream,
}

impl Options {
    fn parse(attributes: &[Attribute], role: Role) -> Result<Self, Refusal> {
        let mut options = Self { path: code("::rt"), name: None, response: code("()"), errors: TokenStream::new() };
        let mut seen: Vec<String> = Vec::new();
        for argument in amp_arguments(attributes) {
            let word = argument.first().map(TokenTree::to_string).unwrap_or_default();
            if seen.contains(&word) {
                return Err(Refusal::over(&argument, format!("`{word}` is given twice: once is enough")));
            }
            match (word.as_str(), &argument[1..]) {
                ("crate", [equals, _]) if is_punct(equals, '=') => {
                    let argument = TokenStream::from_iter(argument.iter().cloned());
                    options.path = crate::args::parse_crate_path(argument)?.unwrap_or(options.path);
                }
                ("name", [equals, value]) if is_punct(equals, '=') && role == Role::Command => {
                    options.name = Some(text(value, "name", 65_535)?);
                }
                ("response", [equals, ty @ ..]) if is_punct(equals, '=') && !ty.is_empty() && role == Role::Command => {
                    options.response = ty.iter().cloned().collect();
                }
                ("errors" | "fatal_errors", [TokenTree::Group(list)])
                    if list.delimiter() == Delimiter::Parenthesis && role == Role::Command =>
                {
                    let method = if word == "errors" { "error" } else { "fatal_error" };
                    options.errors.extend(error_calls(method, list)?);
                }
                _ => return Err(Refusal::over(&argument, role.options())),
            }
            seen.push(word);
        }
        options.path.extend(code("::protocol::amp"));
        Ok(options)
    }
}

/// `.error::<Type>("CODE")` for each `Type = "CODE"`.
fn error_calls(method: &str, list: &Group) -> Result<TokenStream, Refusal> {
    let mut calls = TokenStream::new();
    for entry in split_at_commas(list.stream()) {
        let [ty @ .., equals, value] = entry.as_slice() else {
            return Err(Refusal::over(&entry, "an error reads `Type = \"CODE\"`"));
        };
        if ty.is_empty() || !is_punct(equals, '=') {
            return Err(Refusal::over(&entry, "an error reads `Type = \"CODE\"`"));
        }
        calls.extend(code(&format!(".{method}::<")));
        calls.extend(ty.iter().cloned());
        calls.extend(code(">"));
        calls.extend(in_parentheses(TokenTree::from(text(value, "a code", 65_535)?).into()));
    }
    Ok(calls)
}

/// `impl Arguments for Name { ... }`
fn arguments_impl(item: &Struct, Options { path, .. }: &Options) -> TokenStream {
    let (mut values, mut writes) = (TokenStream::new(), TokenStream::new());
    for Field { name, key, ty } in &item.fields {
        let name = TokenStream::from(TokenTree::from(name.clone()));
        let key = TokenStream::from(TokenTree::from(key.clone()));
        values.extend(name.clone());
        values.extend(code(": fields.argument::<"));
        values.extend(ty.iter().cloned());
        values.extend(code(">"));
        values.extend(in_parentheses(key.clone()));
        values.extend(code("?,"));

        writes.extend(code("fields.set_argument::<"));
        writes.extend(ty.iter().cloned());
        writes.extend(code(">"));
        let mut arguments = key;
        arguments.extend(code(", &self."));
        arguments.extend(name);
        writes.extend(in_parentheses(arguments));
        writes.extend(code("?;"));
    }
    let mut from_box = code("let _ = fields; ::core::result::Result::Ok");
    let mut value = code("Self");
    value.extend(in_braces(values));
    from_box.extend(in_parentheses(value));
    writes.extend(code("let _ = fields; ::core::result::Result::Ok(())"));

    let mut methods = code("#[inline] fn from_box");
    methods.extend(code(&format!("(fields: &{path}::AmpBox) -> ::core::result::Result<Self, {path}::ArgumentError>")));
    methods.extend(in_braces(from_box));
    methods.extend(code("#[inline] fn write_to"));
    let result = format!("::core::result::Result<(), {path}::ArgumentError>");
    methods.extend(code(&format!("(&self, fields: &mut {path}::AmpBox) -> {result}")));
    methods.extend(in_braces(writes));
    implementation(path, "Arguments", &item.name, methods)
}

/// `impl Command for Name { ... }`
fn command_impl(item: &Struct, Options { path, name, response, errors }: Options) -> TokenStream {
    let plain = item.name.to_string();
    let name = name.unwrap_or_else(|| Literal::string(plain.strip_prefix("r#").unwrap_or(&plain)));
    let mut items = code("const NAME: &'static ::core::primitive::str =");
    items.extend([TokenTree::from(name)]);
    items.extend(code("; type Response ="));
    items.extend(response);
    items.extend(code(&format!("; fn errors() -> {path}::ErrorCodes")));
    let mut body = code(&format!("{path}::ErrorCodes::new()"));
    body.extend(errors);
    items.extend(in_braces(body));
    implementation(&path, "Command", &item.name, items)
}

fn implementation(path: &TokenStream, of: &str, name: &Ident, items: TokenStream) -> TokenStream {
    let mut implementation = code("#[automatically_derived] impl");
    implementation.extend(path.clone());
    implementation.extend(code(&format!("::{of} for")));
    implementation.extend([TokenTree::from(name.clone())]);
    implementation.extend(in_braces(items));
    implementation
}

fn in_braces(tokens: TokenStream) -> TokenStream {
    TokenTree::from(Group::new(Delimiter::Brace, tokens)).into()
}

fn in_parentheses(tokens: TokenStream) -> TokenStream {
    TokenTree::from(Group::new(Delimiter::Parenthesis, tokens)).into()
}

/// The arguments of all `#[amp(...)]`.
fn amp_arguments(attributes: &[Attribute]) -> Vec<Vec<TokenTree>> {
    attributes.iter().filter_map(|attribute| attribute.arguments("amp")).flat_map(split_at_commas).collect()
}

/// A text with something in it, where `what` is expected.
fn text(value: &TokenTree, what: &str, at_most: usize) -> Result<Literal, Refusal> {
    let source = value.to_string();
    let inside = source.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match (inside, value) {
        (Some(inside), TokenTree::Literal(literal)) if (1..=at_most).contains(&inside.len()) => Ok(literal.clone()),
        _ => {
            let sentence = format!("{what} is a text in quotes of 1 to {at_most} bytes; this is `{source}`");
            Err(Refusal::at(value.span(), sentence))
        }
    }
}

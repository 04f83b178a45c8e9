//! The arguments of `#[rt::main(...)]` and the others: `name = value`, separated by commas.

use crate::refusal::Refusal;
use proc_macro::{Delimiter, Group, Span, TokenStream, TokenTree};

/// What the user asked for; `Default` is what no arguments mean.
#[derive(Default)]
pub(crate) struct Arguments {
    /// `None`: what the attribute makes of it.
    pub(crate) flavor: Option<Flavor>,
    pub(crate) worker_threads: Option<u32>,
    pub(crate) start_paused: Option<bool>,
    /// The variant of `rt::runtime::UnhandledFailure`; `None`: what the attribute makes of it.
    pub(crate) unhandled: Option<&'static str>,
    /// Whether a test fails that leaves something behind.
    pub(crate) collect_leftovers: bool,
    /// Whether crates that need tokio's runtime work.
    pub(crate) tokio_context: bool,
    /// The path to `rt`, if it is not `::rt`.
    pub(crate) crate_path: Option<TokenStream>,
}

/// The flavors of runtime that exist.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    CurrentThread,
    MultiThread,
}

/// What both take, in front of what [`LAST_OPTIONS`] has.
const OPTIONS: &str = "`flavor = \"multi_thread\"` or `\"current_thread\"`, `worker_threads = 2`, `start_paused = true` or `false`, \
                       `unhandled = \"log\"`, `\"shutdown_runtime\"` or `\"abort\"`";

/// What only `#[rt::test]` takes.
const LEFTOVERS_OPTION: &str = "`leftovers = \"fail\"` or `\"ignore\"`";

const LAST_OPTIONS: &str = "`tokio`, and `crate = \"path::to::rt\"`";

const CRATE_OPTION: &str = "`crate = \"path::to::rt\"`";

/// The argument that has no value.
const FLAG: &str = "tokio";

/// As many as `Builder::worker_threads` takes.
const MOST_WORKERS: u32 = 1024;

impl Flavor {
    const FLAVORS: &[(&str, Flavor)] =
        &[("multi_thread", Flavor::MultiThread), ("current_thread", Flavor::CurrentThread)];

    /// The constructor in `rt::runtime::Builder`.
    pub(crate) fn constructor(self) -> &'static str {
        match self {
            Flavor::CurrentThread => "new_current_thread",
            Flavor::MultiThread => "new_multi_thread",
        }
    }

    fn parse(argument: &Argument) -> Result<Self, Refusal> {
        let asked = argument.string("the name of a flavor in quotes: \"multi_thread\" or \"current_thread\"")?;
        match Self::FLAVORS.iter().find(|(name, _)| *name == asked) {
            Some((_, flavor)) => Ok(*flavor),
            None => Err(argument.refuse_value(format!(
                "there is no flavor \"{asked}\": the flavors are \"multi_thread\" and \"current_thread\""
            ))),
        }
    }
}

impl Arguments {
    /// `default` is the flavor of who names none.
    pub(crate) fn parse(tokens: TokenStream, default: Flavor, is_test: bool) -> Result<Self, Refusal> {
        let options = match is_test {
            true => format!("{OPTIONS}, {LEFTOVERS_OPTION}, {LAST_OPTIONS}"),
            false => format!("{OPTIONS}, {LAST_OPTIONS}"),
        };
        let mut parsed = Self::default();
        let mut seen: Vec<Argument> = Vec::new();
        for argument in split_at_commas(tokens) {
            let argument = Argument::parse(argument, &format!("the arguments are {options}"))?;
            if seen.iter().any(|earlier| earlier.name == argument.name) {
                return Err(argument.refuse_repetition());
            }
            match argument.name.as_str() {
                "flavor" => parsed.flavor = Some(Flavor::parse(&argument)?),
                "worker_threads" => parsed.worker_threads = Some(argument.count()?),
                "start_paused" => parsed.start_paused = Some(argument.bool()?),
                "unhandled" => parsed.unhandled = Some(argument.policy()?),
                "leftovers" if is_test => parsed.collect_leftovers = argument.leftovers()?,
                "leftovers" => {
                    return Err(argument.refuse(
                        "`leftovers` goes with `#[rt::test]`: the end of a program may leave behind what it likes",
                    ));
                }
                "tokio" => parsed.tokio_context = argument.flag()?,
                "crate" => parsed.crate_path = Some(argument.path()?),
                unknown => {
                    return Err(
                        argument.refuse(format!("there is no argument `{unknown}`: the arguments are {options}"))
                    );
                }
            }
            seen.push(argument);
        }
        if parsed.flavor.unwrap_or(default) == Flavor::CurrentThread
            && let Some(argument) = seen.iter().find(|argument| argument.name == "worker_threads")
        {
            return Err(argument.refuse(
                "`worker_threads` goes with `flavor = \"multi_thread\"`: on the flavor \"current_thread\" everything runs on \
                 the thread that calls the function",
            ));
        }
        Ok(parsed)
    }
}

/// The path in `crate = "path"`, of an attribute that takes no other argument.
pub(crate) fn parse_crate_path(tokens: TokenStream) -> Result<Option<TokenStream>, Refusal> {
    let mut path = None;
    for argument in split_at_commas(tokens) {
        let argument = Argument::parse(argument, &format!("the only one is {CRATE_OPTION}"))?;
        match argument.name.as_str() {
            "crate" if path.is_some() => return Err(argument.refuse_repetition()),
            "crate" => path = Some(argument.path()?),
            unknown => {
                return Err(
                    argument.refuse(format!("there is no argument `{unknown}`: the only one is {CRATE_OPTION}"))
                );
            }
        }
    }
    Ok(path)
}

/// One `name = value`, or a name alone; the value is one token.
struct Argument {
    name: String,
    /// The name again, if it stands alone.
    value: TokenTree,
    tokens: Vec<TokenTree>,
}

impl Argument {
    /// `options` says which arguments there are.
    fn parse(tokens: Vec<TokenTree>, options: &str) -> Result<Self, Refusal> {
        match tokens.as_slice() {
            [TokenTree::Ident(name), TokenTree::Punct(equals), value] if equals.as_char() == '=' => {
                Ok(Self { name: name.to_string(), value: without_invisible_group(value.clone()), tokens })
            }
            [TokenTree::Ident(name)] if name.to_string() == FLAG => {
                Ok(Self { name: name.to_string(), value: name.clone().into(), tokens })
            }
            _ => Err(Refusal::over(&tokens, format!("an argument reads `name = value`: {options}"))),
        }
    }

    /// Stands alone.
    fn flag(&self) -> Result<bool, Refusal> {
        match self.tokens.len() {
            1 => Ok(true),
            _ => Err(self.refuse(format!("`{}` stands alone, without a value", self.name))),
        }
    }

    fn bool(&self) -> Result<bool, Refusal> {
        match self.value.to_string().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(self.refuse_value(format!("`{}` is `true` or `false`, not `{other}`", self.name))),
        }
    }

    /// Whether a test fails that leaves something behind.
    fn leftovers(&self) -> Result<bool, Refusal> {
        const VALUES: &str = "\"fail\" or \"ignore\"";
        match self.string(&format!("one of {VALUES}, in quotes"))?.as_str() {
            "fail" => Ok(true),
            "ignore" => Ok(false),
            other => Err(self.refuse_value(format!("`leftovers` is {VALUES}, not \"{other}\""))),
        }
    }

    /// What to do about unhandled failures.
    fn policy(&self) -> Result<&'static str, Refusal> {
        const POLICIES: &str = "\"log\", \"shutdown_runtime\" or \"abort\"";
        match self.string(&format!("one of {POLICIES}, in quotes"))?.as_str() {
            "log" => Ok("Log"),
            "shutdown_runtime" => Ok("ShutdownRuntime"),
            "abort" => Ok("Abort"),
            other => Err(self.refuse_value(format!("`unhandled` is {POLICIES}, not \"{other}\""))),
        }
    }

    /// A number of workers, as Rust writes it, with or without a suffix.
    fn count(&self) -> Result<u32, Refusal> {
        let source = self.value.to_string();
        let plain = source.replace('_', "");
        let digits = plain.trim_end_matches("usize").trim_end_matches("u32");
        match digits.parse() {
            Ok(count) if (1..=MOST_WORKERS).contains(&count) => Ok(count),
            _ => Err(self
                .refuse_value(format!("`{}` is a whole number from 1 to {MOST_WORKERS}, not `{source}`", self.name))),
        }
    }

    /// The text between plain quotes: no value that is allowed here has anything to escape.
    fn string(&self, expected: &str) -> Result<String, Refusal> {
        let source = self.value.to_string();
        let text = source.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match text {
            Some(text) if !text.contains('\\') => Ok(text.to_owned()),
            _ => Err(self.refuse_value(format!("`{}` is {expected}; this is `{source}`", self.name))),
        }
    }

    fn path(&self) -> Result<TokenStream, Refusal> {
        const EXPECTED: &str = "a path in quotes, such as \"rt\", \"::rt\" or \"crate::vendored::rt\"";
        let text = self.string(EXPECTED)?;
        let mut segments = text.strip_prefix("::").unwrap_or(&text).split("::");
        let is_segment = |segment: &str| {
            let segment = segment.strip_prefix("r#").unwrap_or(segment);
            let starts_well = segment.starts_with(|first: char| first == '_' || first.is_alphabetic());
            starts_well && segment.chars().all(|next| next == '_' || next.is_alphanumeric())
        };
        let path = if segments.all(is_segment) { text.parse::<TokenStream>().ok() } else { None };
        // A wrong path is then reported where it was written.
        path.map(|path| respan(path, self.value.span()))
            .ok_or_else(|| self.refuse_value(format!("`{}` is {EXPECTED}; this is \"{text}\"", self.name)))
    }

    fn refuse_repetition(&self) -> Refusal {
        self.refuse(format!("`{}` is given twice: once is enough", self.name))
    }

    fn refuse(&self, sentence: impl Into<String>) -> Refusal {
        Refusal::over(&self.tokens, sentence)
    }

    fn refuse_value(&self, sentence: impl Into<String>) -> Refusal {
        Refusal::at(self.value.span(), sentence)
    }
}

fn split_at_commas(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    for token in tokens {
        match (&token, parts.last_mut()) {
            (TokenTree::Punct(punct), _) if punct.as_char() == ',' => parts.push(Vec::new()),
            (_, Some(part)) => part.push(token),
            (_, None) => parts.push(vec![token]),
        }
    }
    // What follows a last comma, and no arguments at all.
    parts.pop_if(|last| last.is_empty());
    parts
}

/// A value that came through a `macro_rules!` variable is wrapped in delimiters that nobody sees.
fn without_invisible_group(token: TokenTree) -> TokenTree {
    if let TokenTree::Group(group) = &token
        && group.delimiter() == Delimiter::None
    {
        let mut inner = group.stream().into_iter();
        if let (Some(only), None) = (inner.next(), inner.next()) {
            return without_invisible_group(only);
        }
    }
    token
}

/// The same tokens, all standing at `span`.
pub(crate) fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            if let TokenTree::Group(group) = &token {
                token = Group::new(group.delimiter(), respan(group.stream(), span)).into();
            }
            token.set_span(span);
            token
        })
        .collect()
}

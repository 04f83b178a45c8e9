//! What `#[rt::main]` and `#[rt::test]` turn an `async fn` into.
//!
//! The user's function stays whole, as an inner function: its body keeps its spans, its return type its coercions, and
//! the compiler's errors about either are the ones it gives for any `async fn`. Around it stands a plain function of the
//! same name that runs it. When something is refused, the item still expands to nearly that, so that an editor goes on
//! understanding the body.

use crate::args::{Arguments, Flavor};
use crate::function::Function;
use crate::refusal::Refusal;
use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Which attribute it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Main,
    Test,
}

impl Role {
    /// As users write it.
    fn attribute(self) -> &'static str {
        match self {
            Role::Main => "`#[rt::main]`",
            Role::Test => "`#[rt::test]`",
        }
    }

    /// What it runs on, unless told otherwise.
    fn flavor(self) -> Flavor {
        match self {
            Role::Main => Flavor::MultiThread,
            Role::Test => Flavor::CurrentThread,
        }
    }

    /// What the expanded function gets besides the user's attributes.
    fn own_attributes(self) -> TokenStream {
        match self {
            Role::Main => TokenStream::new(),
            Role::Test => code("#[::core::prelude::v1::test]"),
        }
    }
}

pub(crate) fn expand(role: Role, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let (arguments, mut refusals) = match Arguments::parse(arguments, role.flavor(), role == Role::Test) {
        Ok(arguments) => (arguments, Vec::new()),
        Err(refusal) => (Arguments::default(), vec![refusal]),
    };
    let Some(function) = Function::parse(item.clone()) else {
        let start: Vec<TokenTree> = item.clone().into_iter().take(1).collect();
        refusals.push(Refusal::over(&start, format!("{} goes on an `async fn` with a body", role.attribute())));
        return with_refusals(refusals, item);
    };
    let expanded = match check(role, &function) {
        Ok(()) => {
            let run = run_inner(role, &arguments, &function);
            let mut expanded = role.own_attributes();
            expanded.extend(wrap(function, run));
            expanded
        }
        Err(refusal) => {
            refusals.push(refusal);
            wrap(function, code("::core::unreachable!()"))
        }
    };
    with_refusals(refusals, expanded)
}

fn check(role: Role, function: &Function) -> Result<(), Refusal> {
    if role == Role::Test
        && let Some(second) = function.attributes.iter().find(|attribute| attribute.makes_a_test())
    {
        return Err(second.refuse("`#[rt::test]` makes the function a test: remove this second test attribute"));
    }
    function.check_qualifiers(role.attribute())?;
    function.check_takes_nothing(role.attribute())
}

/// `[attributes] [visibility] fn name() [-> Type] { <the user's function> <last> }`
fn wrap(mut function: Function, last: TokenStream) -> TokenStream {
    let mut expanded: TokenStream = function.attributes.drain(..).map(TokenStream::from).collect();
    expanded.extend(function.visibility.clone());
    expanded.extend(code("fn"));
    expanded.extend([TokenTree::from(function.name.clone())]);
    expanded.extend(code("()"));
    expanded.extend(function.output.clone());

    // A body without `.await` is fine here: the attribute asked for `async`.
    let mut body = code("#[allow(clippy::unused_async)]");
    body.extend(function.into_inner());
    body.extend(last);
    expanded.extend([TokenTree::from(Group::new(Delimiter::Brace, body))]);
    expanded
}

/// `::rt::runtime::Builder::new_multi_thread().build().expect("...").block_on(name())`
fn run_inner(role: Role, arguments: &Arguments, function: &Function) -> TokenStream {
    let mut run = arguments.crate_path.clone().unwrap_or_else(|| code("::rt"));
    let flavor = arguments.flavor.unwrap_or(role.flavor());
    run.extend(code(&format!("::runtime::Builder::{}()", flavor.constructor())));
    if let Some(count) = arguments.worker_threads {
        run.extend(code(&format!(".worker_threads({count})")));
    }
    if let Some(start_paused) = arguments.start_paused {
        run.extend(code(&format!(".start_paused({start_paused})")));
    }
    if arguments.tokio_context {
        run.extend(code(".tokio_context(true)"));
    }
    if arguments.collect_leftovers {
        run.extend(code(".__collect_leftovers(true)"));
    }
    match arguments.unhandled {
        Some(policy) => {
            let mut path = arguments.crate_path.clone().unwrap_or_else(|| code("::rt"));
            path.extend(code(&format!("::runtime::UnhandledFailure::{policy}")));
            run.extend(code(".unhandled_failure"));
            run.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, path))]);
        }
        // A test fails if something was lost.
        None if role == Role::Test => run.extend(code(".__collect_failures(true)")),
        None => {}
    }
    run.extend(code(".build().expect(\"the runtime could not be built\")."));
    run.extend(code(if role == Role::Test { "__block_on_test" } else { "block_on" }));
    let mut call = TokenStream::from(TokenTree::from(function.name.clone()));
    call.extend(code("()"));
    run.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, call))]);
    run
}

pub(crate) fn with_refusals(refusals: Vec<Refusal>, item: TokenStream) -> TokenStream {
    let mut expanded: TokenStream = refusals.into_iter().map(Refusal::into_compile_error).collect();
    expanded.extend(item);
    expanded
}

/// Tokens of our own, which stand where the attribute stands.
pub(crate) fn code(source: &str) -> TokenStream {
    source.parse().expect("our own source is made of whole tokens")
}

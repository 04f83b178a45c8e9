//! The coroutine scripts of the corpus `deferred`. Both styles run on the one kind of coroutine that there is.

use std::future::Future;
use std::pin::Pin;

use rt::deferred::ensure_deferred;
use rt::{Deferred, Failure};
use serde_json::{Value as Json, json};

use super::Scope;
use crate::value::{NULL, Result, Value, failure, kind, list, number, show, show_failure, text};

/// Starts the coroutine of a node with `label` and `steps`.
pub(crate) fn start(scope: Scope, node: &Json) -> Deferred<Value> {
    let node = node.clone();
    ensure_deferred(async move { main(&scope, &node).await })
}

/// `Some` is the value of a `return`.
type Flow = Result<Option<Value>>;

async fn main(scope: &Scope, node: &Json) -> Result {
    let mut coroutine = Coroutine { scope, label: &node["label"], last: NULL };
    let result = coroutine.run(list(&node["steps"])).await.map(|returned| returned.unwrap_or(NULL));
    coroutine.event(json!(["end", show(&result)]));
    result
}

struct Coroutine<'a> {
    scope: &'a Scope,
    label: &'a Json,
    last: Value,
}

impl<'a> Coroutine<'a> {
    fn event(&self, what: Json) {
        let Json::Array(mut what) = what else { unreachable!("an event is an array") };
        what.splice(0..0, [json!("co"), self.label.clone()]);
        self.scope.program.event(Json::Array(what));
    }

    fn run<'b>(&'b mut self, steps: &'b [Json]) -> Pin<Box<dyn Future<Output = Flow> + 'b>> {
        Box::pin(async move {
            for step in steps {
                if let Some(value) = self.step(step).await? {
                    return Ok(Some(value));
                }
            }
            Ok(None)
        })
    }

    async fn step(&mut self, step: &Json) -> Flow {
        let program = &self.scope.program;
        match text(&step["s"]) {
            "await" => self.wait(self.scope.captured.take(number(&step["d"]))).await?,
            "await_new" => {
                let outcome = &step["outcome"];
                self.wait(match outcome.get("ok") {
                    Some(value) => Deferred::succeed(Value::of(value)),
                    None => Deferred::fail(failure(&outcome["err"])),
                })
                .await?;
            }
            "await_queue" => self.wait(program.queue(number(&step["queue"])).get()?).await?,
            "await_lock" => self.wait(program.acquire_lock(number(&step["lock"]))).await?,
            "await_sem" => self.wait(program.acquire_semaphore(number(&step["sem"]))).await?,
            "yield_value" => self.got(Ok(Value::of(&step["v"])))?,
            "call" if step["style"] != "inline" => {
                let result = Box::pin(main(self.scope, step)).await;
                self.got(result)?;
            }
            "call" | "call_deferred" => self.wait(start(self.scope.clone(), step)).await?,
            "log" => self.event(json!(["log", step["text"]])),
            "act" => self.scope.act(&step["act"])?,
            "try" => {
                let failure = match self.run(list(&step["body"])).await {
                    Err(failure) if list(&step["kinds"]).iter().any(|k| *k == kind(&failure)) => failure,
                    other => return other,
                };
                self.event(json!(["caught", show_failure(&failure)]));
                return self.run(list(&step["handler"])).await;
            }
            "with_lock" => {
                let lock = program.lock(number(&step["lock"]));
                lock.acquire().await?;
                self.event(json!(["entered", step["lock"]]));
                let result = self.run(list(&step["body"])).await;
                lock.release()?;
                return result;
            }
            "return" => return Ok(Some(Value::of(&step["v"]))),
            "return_last" => return Ok(Some(self.last.clone())),
            "raise" => return Err(failure(step)),
            other => panic!("a step that the schema does not have: {other}"),
        }
        Ok(None)
    }

    async fn wait(&mut self, deferred: Deferred<Value>) -> Result<()> {
        let result = deferred.await;
        self.got(result)
    }

    fn got(&mut self, result: Result) -> std::result::Result<(), Failure> {
        self.event(json!(["got", show(&result)]));
        self.last = result?;
        Ok(())
    }
}

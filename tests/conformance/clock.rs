//! A program of the corpus `clock`: delayed calls, looping calls and cooperative tasks on a virtual clock.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use rt::deferred::{CooperativeTask, Cooperator, DelayedCall, LoopingCall, Outcome, defer_later};
use serde_json::{Value as Json, json};

use crate::stage::{self, Program as _, Stage, duration, ms};
use crate::value::{Value, list, number, text};

#[derive(Default)]
pub(crate) struct Program {
    stage: Rc<Stage>,
    calls: RefCell<BTreeMap<u64, DelayedCall>>,
    loops: RefCell<BTreeMap<u64, LoopingCall>>,
    runs: RefCell<BTreeMap<u64, usize>>,
    laters: RefCell<BTreeMap<u64, rt::deferred::Control>>,
    cooperators: RefCell<BTreeMap<u64, Cooperator>>,
    tasks: RefCell<BTreeMap<u64, CooperativeTask>>,
}

impl Deref for Program {
    type Target = Rc<Stage>;

    fn deref(&self) -> &Rc<Stage> {
        &self.stage
    }
}

impl stage::Program for Program {
    /// An op, or an action: most exist as both.
    fn op(self: &Rc<Self>, name: &str, op: &Json) {
        let id = || number(&op["id"]);
        match name {
            "log" => self.event(json!(["log", op["text"]])),
            "call_later" => {
                let (program, index, acts) = (Rc::clone(self), id(), op["acts"].clone());
                let call = self.clock.call_later(duration(&op["ms"]), move || {
                    program.event(json!(["call", index]));
                    program.act_all(&acts);
                });
                self.calls.borrow_mut().insert(id(), call);
            }
            "cancel_call" => self.guarded(name, id(), self.call(id()).cancel()),
            "reset_call" => self.guarded(name, id(), self.call(id()).reset(duration(&op["ms"]))),
            "delay_call" => {
                let ms = op["ms"].as_i64().expect("a number of milliseconds");
                let by = Duration::from_millis(ms.unsigned_abs());
                let call = self.call(id());
                self.guarded(name, id(), if ms < 0 { call.bring_forward(by) } else { call.delay(by) });
            }
            "active" => self.event(json!(["active", id(), self.call(id()).is_active()])),
            "pending" => {
                let calls = self.calls.borrow().clone();
                let waiting = calls.iter().filter(|(_, call)| call.is_active());
                let waiting: Vec<Json> = waiting.map(|(id, call)| json!([id, ms(call.time())])).collect();
                self.event(json!(["pending", waiting, self.clock.delayed_calls().len()]));
            }
            "pump" => self.clock.pump(list(&op["ms"]).iter().map(duration)),
            "loop_new" => self.new_loop(id(), op),
            "loop_start" => {
                let interval = duration(&op["ms"]);
                // Outside of the borrow: the first run may touch the loops.
                let looping = self.looping(id());
                match looping.start(interval, op["now"] == true) {
                    Ok(done) => self.watch(done.try_callback(|_| Ok(itself())), vec![json!("loop_done"), json!(id())]),
                    Err(error) => self.guarded(name, id(), Err(error)),
                }
            }
            "loop_stop" => self.guarded(name, id(), self.looping(id()).stop()),
            "loop_reset" => self.guarded(name, id(), self.looping(id()).reset()),
            "defer_later" => self.defer_later(id(), op),
            "cancel_later" => {
                let later = self.laters.borrow()[&id()].clone();
                later.cancel();
            }
            "coop_new" => {
                let units = number(&op["units"]);
                let cooperator =
                    Cooperator::new().clock(&self.clock).delay(duration(&op["tick_ms"])).terminate(move || {
                        let mut left = units;
                        move || {
                            left -= 1;
                            left == 0
                        }
                    });
                let cooperator = if op["started"] == true { cooperator } else { cooperator.not_started() };
                self.cooperators.borrow_mut().insert(number(&op["coop"]), cooperator);
            }
            "cooperate" => {
                let task = self.cooperator(op).cooperate(self.work(op));
                self.tasks.borrow_mut().insert(number(&op["task"]), task);
            }
            "coiterate" => {
                let done = self.cooperator(op).coiterate(self.work(op));
                self.watch(done.try_callback(|()| Ok(itself())), vec![json!("coiter"), op["task"].clone()]);
            }
            "task_pause" => self.guarded(name, number(&op["task"]), self.task(op).pause()),
            "task_resume" => self.guarded(name, number(&op["task"]), self.task(op).resume()),
            "task_stop" => self.guarded(name, number(&op["task"]), self.task(op).stop()),
            "when_done" => {
                let done = self.task(op).when_done().try_callback(|()| Ok(itself()));
                self.watch(done, vec![json!("done"), op["task"].clone(), op["id"].clone()]);
            }
            "coop_stop" => self.cooperator(op).stop(),
            "coop_start" => self.cooperator(op).start(),
            other => assert!(self.stage.op(other, op), "an op that the schema does not have: {other}"),
        }
    }

    fn final_state(&self) -> Json {
        let runs = self.runs.borrow();
        let loops = self.loops.borrow();
        let loops: serde_json::Map<String, Json> = loops
            .iter()
            .map(|(id, looping)| (id.to_string(), json!({ "running": looping.is_running(), "runs": runs[id] })))
            .collect();
        json!({ "time": ms(self.clock.now()), "pending": self.clock.delayed_calls().len(), "loops": loops })
    }

    fn clear(&self) {
        drop((self.loops.take(), self.laters.take(), self.tasks.take(), self.cooperators.take(), self.calls.take()));
    }
}

impl Program {
    fn act_all(self: &Rc<Self>, acts: &Json) {
        list(acts).iter().for_each(|action| self.op(text(&action["a"]), action));
    }

    fn new_loop(self: &Rc<Self>, id: u64, op: &Json) {
        let (program, script) = (Rc::clone(self), op["script"].clone());
        let run = move |event: Json| {
            let number = {
                let mut runs = program.runs.borrow_mut();
                let runs = runs.entry(id).or_default();
                *runs += 1;
                *runs - 1
            };
            program.event(event);
            let entry = list(&script).get(number).or(list(&script).last()).expect("a script has an entry");
            program.act_all(&entry["acts"]);
            program.unit(&entry["ret"])
        };
        let looping = if op["with_count"] == true {
            LoopingCall::with_count(move |count| run(json!(["loop", id, count])))
        } else {
            LoopingCall::new(move || run(json!(["loop", id])))
        };
        self.runs.borrow_mut().insert(id, 0);
        self.loops.borrow_mut().insert(id, looping.clock(&self.clock));
    }

    fn defer_later(self: &Rc<Self>, id: u64, op: &Json) {
        let (program, function) = (Rc::clone(self), op["f"].clone());
        let later = defer_later(&self.clock, duration(&op["ms"]), move || {
            if function.is_null() {
                return Outcome::Value(Value::of(&Json::Null));
            }
            program.event(json!(["later_call", id]));
            program.act_all(&function["acts"]);
            program.outcome(&function["ret"])
        });
        self.laters.borrow_mut().insert(id, later.control());
        self.watch(later, vec![json!("later"), json!(id)]);
    }

    /// The iterator of a task.
    fn work(self: &Rc<Self>, op: &Json) -> impl Iterator<Item = Outcome<()>> + use<> {
        let (program, task, script) = (Rc::clone(self), op["task"].clone(), op["script"].clone());
        let mut next = 0;
        std::iter::from_fn(move || {
            let Some(entry) = list(&script).get(next) else {
                program.event(json!(["end", task]));
                return None;
            };
            program.event(json!(["work", task, next]));
            next += 1;
            program.act_all(&entry["acts"]);
            Some(program.unit(&entry["ret"]))
        })
    }

    fn call(&self, id: u64) -> DelayedCall {
        self.calls.borrow()[&id].clone()
    }

    fn looping(&self, id: u64) -> LoopingCall {
        self.loops.borrow()[&id].clone()
    }

    fn task(&self, op: &Json) -> CooperativeTask {
        self.tasks.borrow()[&number(&op["task"])].clone()
    }

    fn cooperator(&self, op: &Json) -> Cooperator {
        self.cooperators.borrow()[&number(&op["coop"])].clone()
    }
}

/// How the looping call or the iterator itself is written.
fn itself() -> Value {
    Value::of(&json!("@self"))
}

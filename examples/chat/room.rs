//! Who is in the room, and what they hear of each other.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use crate::outbox::Outbox;

/// Most characters in a name.
const MAX_NAME: usize = 32;

/// Everybody who is connected.
#[derive(Default)]
pub(crate) struct Room {
    guests: RefCell<Vec<Rc<Guest>>>,
}

/// One who is connected, and in the room once there is a name.
#[derive(Default)]
pub(crate) struct Guest {
    name: OnceCell<String>,
    pub(crate) outbox: Outbox,
}

/// A guest's time in the room: ends when it is dropped.
pub(crate) struct Visit {
    room: Rc<Room>,
    guest: Rc<Guest>,
}

impl Room {
    pub(crate) fn visit(self: &Rc<Self>) -> Visit {
        let guest = Rc::new(Guest::default());
        self.guests.borrow_mut().push(Rc::clone(&guest));
        Visit { room: Rc::clone(self), guest }
    }

    pub(crate) fn close(&self) {
        for guest in self.guests.borrow().iter() {
            guest.outbox.push("(The room is closed)");
            guest.outbox.close();
        }
    }

    fn tell_all_but(&self, guest: &Rc<Guest>, line: &str) {
        for other in self.guests.borrow().iter() {
            if other.name.get().is_some() && !Rc::ptr_eq(other, guest) {
                other.outbox.push(line);
            }
        }
    }

    fn is_taken(&self, name: &str) -> bool {
        self.guests.borrow().iter().any(|guest| guest.name.get().is_some_and(|taken| taken == name))
    }
}

impl Visit {
    pub(crate) fn guest(&self) -> Rc<Guest> {
        Rc::clone(&self.guest)
    }

    /// Enters the room under `name`, or tells why that cannot be.
    pub(crate) fn introduce(&self, name: &str) -> Result<(), String> {
        check_name(name)?;
        if self.room.is_taken(name) {
            return Err(format!("the name {name} is taken, choose another"));
        }
        self.guest.name.set(name.to_owned()).expect("one introduces oneself once");
        self.tell_others(|name| format!("(User {name} connected)"));
        Ok(())
    }

    pub(crate) fn say(&self, text: &str) {
        self.tell_others(|name| format!("#[{name}]>>> {text}"));
    }

    /// Tells the guest alone what was wrong.
    pub(crate) fn answer(&self, refusal: &str) {
        self.guest.outbox.push(&format!("(Refused: {refusal})"));
    }

    fn tell_others(&self, line: impl FnOnce(&str) -> String) {
        if let Some(name) = self.guest.name.get() {
            self.room.tell_all_but(&self.guest, &line(name));
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.room.guests.borrow_mut().retain(|guest| !Rc::ptr_eq(guest, &self.guest));
        self.tell_others(|name| format!("(User {name} disconnected)"));
    }
}

/// Whether one may be called that.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if (1..=MAX_NAME).contains(&name.chars().count()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(format!("{name:?} is no name: 1 to {MAX_NAME} letters, digits, '-', '_' or '.' make one"))
}

//! The floor: what the scenarios cost without a runtime's features, written as well as a page allows.
//!
//! | file | what | what it leaves out |
//! |---|---|---|
//! | [`executor`] | one allocation per task, a queue, wakers without atomics | panics, join results, ids, shutdown, other threads |
//! | [`wheel`] | a timer wheel of one level | deadlines far away cost a look per turn of the wheel |
//! | [`remote`] | a locked queue and an eventfd | tasks that are woken one by one |
//! | [`epoll`] | a loop over edge-triggered epoll, no futures | timers, tasks, limits |
//! | [`udp`] | the same for one socket with datagrams | the same |

pub mod epoll;
pub mod executor;
pub mod remote;
pub mod udp;
pub mod wheel;

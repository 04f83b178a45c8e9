//! What a program is made of, started and stopped in order.

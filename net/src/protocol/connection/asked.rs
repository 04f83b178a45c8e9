//! What a transport asks of a connection, where the connection alone has the answer.

/// In a [`Backend`](crate::protocol::Backend) that is the [`Outside`](super::Outside) of a connection, its field `$connection`: what that one does alone.
macro_rules! asks_of_connection {
    ($connection:ident) => {
        fn write(&self, data: &[u8]) {
            self.$connection.write(data, self);
        }

        fn write_sequence(&self, parts: &[&[u8]]) {
            self.$connection.write_sequence(parts, self);
        }

        fn lose_connection(&self) {
            self.$connection.lose(self);
        }

        fn lose_write_connection(&self) {
            self.$connection.lose_write(self);
        }

        fn register_producer(
            &self,
            producer: std::rc::Rc<dyn crate::protocol::Producer>,
            streaming: bool,
        ) -> Result<(), crate::protocol::AlreadyRegistered> {
            self.$connection.register_producer(producer, streaming)
        }

        fn unregister_producer(&self) {
            self.$connection.unregister_producer(self);
            self.$connection.close_write_if_asked(self);
        }

        fn stop_producer(&self) {
            self.$connection.stop_producer(self);
            self.$connection.close_write_if_asked(self);
        }

        fn pause_producing(&self) {
            self.$connection.pause_reading(self);
        }

        fn resume_producing(&self) {
            self.$connection.resume_reading(self);
        }

        fn stop_producing(&self) {
            self.$connection.lose(self);
        }

        fn is_paused(&self) -> bool {
            self.$connection.is_paused()
        }

        fn is_connected(&self) -> bool {
            self.$connection.is_connected()
        }

        fn unsent(&self) -> usize {
            self.$connection.unsent()
        }

        fn write_limits(&self) -> crate::protocol::WriteLimits {
            self.$connection.write_limits()
        }
    };
}
pub(crate) use asks_of_connection;

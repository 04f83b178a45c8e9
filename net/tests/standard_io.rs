//! Protocols over this process's standard input and output: the test starts itself as a child with pipes for them.
//!
//! It has no harness, as that writes to standard output, too.

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    match std::env::args().nth(1).as_deref().and_then(|name| name.strip_prefix("child:")) {
        Some(role) => child::run(role),
        None => parent::run(),
    }
}

/// What is tested.
#[cfg(unix)]
mod child {
    use rt_net::protocol::{
        Address, ConnectionLost, Protocol, StandardIo, StandardIoEndpoint, StreamServerEndpoint, Transport,
        for_protocol,
    };
    use rt_runtime::block_on;
    use std::cell::Cell;
    use std::rc::Rc;

    pub(super) fn run(role: &str) {
        match role {
            "echo" => echo(),
            "endpoint" => endpoint(),
            "rest" => rest(),
            "half" => half(),
            _ => panic!("there is no role {role}"),
        }
    }

    struct Echo;

    impl Protocol for Echo {
        fn connection_made(&mut self, transport: &Transport) {
            assert_eq!(transport.peer(), Address::StandardIo);
            assert_eq!(transport.host(), Address::StandardIo);
        }

        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write(data);
        }

        fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
            eprintln!("{reason}");
        }
    }

    fn echo() {
        block_on(async { StandardIo::new(Echo).transport().closed().await.unwrap() });
    }

    /// Greets, and loses the connection.
    struct Greeter(Rc<Cell<bool>>);

    impl Protocol for Greeter {
        fn connection_made(&mut self, transport: &Transport) {
            transport.write(b"hello\n");
            transport.lose_connection();
        }

        fn data_received(&mut self, _: &Transport, _: &[u8]) {
            panic!("nothing is read");
        }

        fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
            assert!(reason.is_clean());
            self.0.set(true);
        }
    }

    fn endpoint() {
        block_on(async {
            let over = Rc::new(Cell::new(false));
            let greeter = over.clone();
            let port = StandardIoEndpoint.listen(for_protocol(move || Greeter(greeter.clone()))).await.unwrap();
            assert_eq!(port.host(), Address::StandardIo);
            while !over.get() {
                rt_runtime::yield_now().await;
            }
            port.stop_listening().await.unwrap();
            port.stop_listening().await.unwrap();
        });
    }

    /// Takes one piece and leaves.
    struct Piece;

    impl Protocol for Piece {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write(data);
            transport.lose_connection();
        }
    }

    /// Standard input and output are open after a connection was lost, for the next one.
    fn rest() {
        block_on(async {
            for _ in 0..2 {
                StandardIo::new(Piece).transport().closed().await.unwrap();
            }
        });
    }

    /// Answers when the input is at its end.
    struct Half(usize);

    impl Protocol for Half {
        fn data_received(&mut self, _: &Transport, data: &[u8]) {
            self.0 += data.len();
        }

        fn read_connection_lost(&mut self, transport: &Transport) {
            transport.write(format!("{} bytes\n", self.0).as_bytes());
            transport.lose_write_connection();
        }

        fn write_connection_lost(&mut self, transport: &Transport) {
            transport.lose_connection();
        }
    }

    fn half() {
        block_on(async { StandardIo::new(Half(0)).transport().closed().await.unwrap() });
    }
}

/// What happens to it.
#[cfg(unix)]
mod parent {
    use std::io::{Read, Write};
    use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

    pub(super) fn run() {
        let cases: [(&str, fn()); 5] = [
            ("what comes goes back until the input ends", what_comes_goes_back_until_the_input_ends),
            ("reader that is slow", reader_that_is_slow),
            ("endpoint", endpoint),
            ("input after the connection is for others", input_after_the_connection_is_for_others),
            ("answer after the end of input", answer_after_the_end_of_input),
        ];
        for (name, case) in cases {
            case();
            println!("standard_io: {name}: ok");
        }
    }

    fn start(role: &str) -> (Child, ChildStdin, ChildStdout) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(format!("child:{role}")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        (child, stdin, stdout)
    }

    /// It ends well; what it wrote to standard error.
    fn end(child: Child) -> String {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        text
    }

    fn expect(stdout: &mut ChildStdout, text: &str) {
        let mut read = vec![0; text.len()];
        stdout.read_exact(&mut read).unwrap();
        assert_eq!(String::from_utf8_lossy(&read), text);
    }

    fn expect_end(mut stdout: ChildStdout) {
        assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    }

    fn what_comes_goes_back_until_the_input_ends() {
        let (child, mut stdin, mut stdout) = start("echo");
        for word in ["one", "two"] {
            stdin.write_all(word.as_bytes()).unwrap();
            expect(&mut stdout, word);
        }
        stdin.write_all(b"the last").unwrap();
        drop(stdin);
        expect(&mut stdout, "the last");
        expect_end(stdout);
        assert_eq!(end(child), "the connection was closed\n");
    }

    fn reader_that_is_slow() {
        let (child, mut stdin, mut stdout) = start("echo");
        let data: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
        let sent = data.clone();
        let writer = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
        let mut echoed = Vec::new();
        stdout.read_to_end(&mut echoed).unwrap();
        assert!(echoed == data);
        writer.join().unwrap();
        end(child);
    }

    fn endpoint() {
        let (child, _stdin, mut stdout) = start("endpoint");
        expect(&mut stdout, "hello\n");
        expect_end(stdout);
        end(child);
    }

    fn input_after_the_connection_is_for_others() {
        let (child, mut stdin, mut stdout) = start("rest");
        for word in ["one", "two"] {
            stdin.write_all(word.as_bytes()).unwrap();
            expect(&mut stdout, word);
        }
        expect_end(stdout);
        end(child);
    }

    fn answer_after_the_end_of_input() {
        let (child, mut stdin, mut stdout) = start("half");
        stdin.write_all(&[b'x'; 100_000]).unwrap();
        drop(stdin);
        expect(&mut stdout, "100000 bytes\n");
        expect_end(stdout);
        end(child);
    }
}

//! Processes that are looked at from outside: servers under load, and idle ones.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use rustix::net::sockopt::set_socket_send_buffer_size;

use super::load::{self, Generator};
use crate::meter::{Sample, percentile, pin};
use crate::scenario::memory::resident_bytes_of;
use crate::scenario::{Case, Load};

/// A server process, bound to the first processor, and the connections to it.
pub struct Loaded {
    server: Process,
    clock: ClockId,
    generator: Box<dyn Generator>,
}

impl Loaded {
    /// Starts the server of `case` and connects.
    pub fn start(program: &Path, case: &Case, load: Load) -> Result<Self, String> {
        let (server, line) = Process::start(program, case)?;
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", case.path());
        let clock = clock_getcpuclockid(server.pid()).map_err(|error| named(&error))?;
        let generator = load::connect(&line, load).map_err(|error| named(&error))?;
        Ok(Self { server, clock, generator })
    }

    /// Has so many requests answered, from a thread on the second processor, and measures what they cost the server.
    pub fn run(&mut self, requests: u64) -> Result<Sample, String> {
        self.measure(requests, |generator| generator.run(requests)).map(|(sample, ())| sample)
    }

    /// The same; the figure is how long the requests took, in microseconds: the percentile that is asked for.
    pub(super) fn run_timed(&mut self, requests: u64, percent: f64) -> Result<Sample, String> {
        let (sample, mut times) = self.measure(requests, |generator| generator.run_timed(requests))?;
        Ok(Sample { figure: Some(percentile(&mut times, percent)), ..sample })
    }

    fn measure<T: Send>(
        &mut self,
        requests: u64,
        run: impl FnOnce(&mut dyn Generator) -> io::Result<T> + Send,
    ) -> Result<(Sample, T), String> {
        // The server goes back to sleep, or fills the sockets' buffers, before the clocks are read.
        let settle = || thread::sleep(Duration::from_millis(10));
        settle();
        let (cpu, wall) = (self.cpu()?, Instant::now());
        let generator = &mut *self.generator;
        let outcome = thread::scope(|scope| {
            let load = scope.spawn(|| {
                pin(1);
                run(generator)
            });
            load.join().unwrap_or_else(|_| Err(io::Error::other("the load generator panicked")))
        });
        let wall = wall.elapsed();
        let outcome = outcome.map_err(|error| format!("under load, process {}: {error}", self.server.pid()))?;
        settle();
        Ok((Sample { ops: requests, cpu: self.cpu()? - cpu, wall, figure: None }, outcome))
    }

    /// CPU time of all threads of the server, exact to the nanosecond while it sleeps.
    fn cpu(&self) -> Result<Duration, String> {
        clock_gettime(self.clock).map(Duration::from).map_err(|error| format!("the server is gone: {error}"))
    }
}

/// How often an idle process is switched to in one second.
pub fn count_switches(program: &Path, case: &Case) -> Result<Sample, String> {
    let (process, _) = Process::start(program, case)?;
    process.switches_in_a_second()
}

/// The same of a server that has so many connections, each of which it has served once.
pub(super) fn count_switches_of_server(program: &Path, case: &Case, connections: usize) -> Result<Sample, String> {
    allow_many_descriptors();
    let loaded = Loaded::start(program, case, Load::Echo { connections, in_flight: 1 })?;
    loaded.server.switches_in_a_second()
}

/// Resident memory of the server per connection, of so many that it has accepted and that nothing comes over.
pub(super) fn weigh_connections(program: &Path, case: &Case, connections: usize) -> Result<Sample, String> {
    weigh(program, case, connections, |_| Ok(()))
}

/// The same of connections that send as much as the server takes, and read nothing.
pub(super) fn weigh_deaf_connections(program: &Path, case: &Case, connections: usize) -> Result<Sample, String> {
    weigh(program, case, connections, flood)
}

fn weigh(
    program: &Path,
    case: &Case,
    connections: usize,
    load: fn(&mut [TcpStream]) -> io::Result<()>,
) -> Result<Sample, String> {
    /// What is needed once, and the code that runs, is there after so many.
    const FIRST: usize = 100;

    allow_many_descriptors();
    let (server, line) = Process::start(program, case)?;
    let address: SocketAddr = line.parse().map_err(|_| format!("said {line:?} instead of its address"))?;
    let open = |_| -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        set_socket_send_buffer_size(&stream, 64 << 10)?;
        // The task of this connection has run when this is there.
        stream.read_exact(&mut [0])?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    let open = |count| -> Result<Vec<TcpStream>, String> {
        let streams = (0..count).map(open).collect::<io::Result<Vec<_>>>();
        streams.and_then(|mut streams| load(&mut streams).map(|()| streams)).map_err(|error| error.to_string())
    };
    let weigh = || {
        thread::sleep(Duration::from_millis(100));
        resident_bytes_of(server.pid())
    };
    let first = open(FIRST)?;
    let before = weigh();
    let others = open(connections)?;
    let after = weigh();
    if first.iter().chain(&others).any(|stream| stream.peek(&mut [0]).is_ok_and(|count| count == 0)) {
        return Err("did not keep its connections".to_owned());
    }
    Ok(Sample::of((after as f64 - before as f64) / connections as f64))
}

/// Sends until the server has taken nothing for a while.
fn flood(streams: &mut [TcpStream]) -> io::Result<()> {
    const A_WHILE: Duration = Duration::from_millis(200);

    let mut taken = Instant::now();
    while taken.elapsed() < A_WHILE {
        for stream in &mut *streams {
            match stream.write(&[1; 16 << 10]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
                Ok(_) => taken = Instant::now(),
            }
        }
    }
    Ok(())
}

/// As many as this process may have. If those are too few, the connections will fail and say why.
pub(super) fn allow_many_descriptors() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// A child that is killed when this is dropped.
struct Process(Child);

impl Process {
    /// Starts the process of `case` and waits for its first line, which is given without its end.
    fn start(program: &Path, case: &Case) -> Result<(Self, String), String> {
        let mut child = Command::new(program)
            .args(["serve", case.scenario.name, case.subject])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("starting {}: {error}", program.display()))?;
        let stdout = child.stdout.take();
        let process = Self(child);
        let mut line = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| format!("its first line: {error}"))?;
        }
        if line.is_empty() {
            Err("ended before it was ready".to_owned())
        } else {
            Ok((process, line.trim().to_owned()))
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }

    /// Once it has had the time to come to rest.
    fn switches_in_a_second(&self) -> Result<Sample, String> {
        thread::sleep(Duration::from_millis(300));
        let before = self.switches().map_err(|error| error.to_string())?;
        thread::sleep(Duration::from_secs(1));
        let after = self.switches().map_err(|error| error.to_string())?;
        Ok(Sample::of((after - before) as f64))
    }

    /// Context switches of all its threads so far.
    fn switches(&self) -> io::Result<u64> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            let status = fs::read_to_string(thread?.path().join("status"))?;
            let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
            sum += counts.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum::<u64>();
        }
        Ok(sum)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

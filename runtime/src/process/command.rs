//! What to run, and how.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::future::Future;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};

use super::{Child, awaited, reaper};

/// Bytes that each stream of a child may have in [`Command::output`] unless [`Command::output_limit`] says otherwise.
const OUTPUT_LIMIT: usize = 64 * 1024 * 1024;

/// A program to start, with its arguments, environment and streams.
///
/// It can be started any number of times. What is not said is as in [`std::process::Command`], which it is made of: arguments are handed
/// over as they are, without a shell; environment, working directory and streams are those of this process.
///
/// Counterpart: `tokio::process::Command`; Twisted's `spawnProcess`.
///
/// ```
/// use rt::process::Command;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let output = Command::new("sh").args(["-c", "echo $GREETING"]).env("GREETING", "hello").output().await?;
/// assert!(output.status.success());
/// assert_eq!(output.stdout, b"hello\n");
/// # Ok(())
/// # })
/// # }
/// ```
pub struct Command {
    pub(super) std: std::process::Command,
    kill_on_drop: bool,
    output_limit: Option<usize>,
    #[cfg(feature = "child-fds")]
    pub(super) descriptors: super::fds::Descriptors,
}

impl Command {
    /// Runs `program`: a path if it has a slash, else a name that is looked for in the directories of `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        std::process::Command::new(program).into()
    }

    /// What it is made of.
    pub fn as_std(&self) -> &std::process::Command {
        &self.std
    }

    /// What it is made of, for settings that have no method here.
    pub fn as_std_mut(&mut self) -> &mut std::process::Command {
        &mut self.std
    }

    /// What it is made of; what only exists here is forgotten.
    pub fn into_std(self) -> std::process::Command {
        self.std
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.std.args(args);
        self
    }

    /// Sets the argument that stands for the program's name.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg0(arg);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, key: impl AsRef<OsStr>, val: impl AsRef<OsStr>) -> &mut Self {
        self.std.env(key, val);
        self
    }

    /// Sets variables of the environment.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.envs(vars);
        self
    }

    /// Leaves a variable out of the environment.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
        self.std.env_remove(key);
        self
    }

    /// Begins with an empty environment instead of that of this process.
    pub fn env_clear(&mut self) -> &mut Self {
        self.std.env_clear();
        self
    }

    /// Sets the working directory. A relative path of the program may be looked for before or after the change: give an absolute one.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
        self.std.current_dir(dir);
        self
    }

    /// Sets standard input: [piped](Stdio::piped), [null](Stdio::null), [inherited](Stdio::inherit), a file, or a pipe of another
    /// child by `TryInto<Stdio>`.
    pub fn stdin(&mut self, cfg: impl Into<Stdio>) -> &mut Self {
        self.std.stdin(cfg);
        self
    }

    /// Sets standard output; see [`stdin`](Self::stdin).
    pub fn stdout(&mut self, cfg: impl Into<Stdio>) -> &mut Self {
        self.std.stdout(cfg);
        self
    }

    /// Sets standard error; see [`stdin`](Self::stdin).
    pub fn stderr(&mut self, cfg: impl Into<Stdio>) -> &mut Self {
        self.std.stderr(cfg);
        self
    }

    /// Runs it as this user, and without the supplementary groups of this process if that is root's.
    pub fn uid(&mut self, id: u32) -> &mut Self {
        self.std.uid(id);
        self
    }

    /// Runs it as this group.
    pub fn gid(&mut self, id: u32) -> &mut Self {
        self.std.gid(id);
        self
    }

    /// Puts it into a process group: 0 makes one that it leads, which [`Child::signal_group`] can reach as a whole, and which the keys
    /// of the terminal, such as Ctrl-C, do not.
    pub fn process_group(&mut self, pgroup: i32) -> &mut Self {
        self.std.process_group(pgroup);
        self
    }

    /// Whether the child is killed when its [`Child`] is dropped before it was waited for. Not so if this is not called.
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Self {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// What [`kill_on_drop`](Self::kill_on_drop) was set to.
    // The name is tokio's, whose own is std's way to tell a question from a setting.
    pub fn get_kill_on_drop(&self) -> bool {
        self.kill_on_drop
    }

    /// Sets how many bytes each of the two streams may have in [`output`](Self::output) and [`Child::wait_with_output`]: 64 MiB if this
    /// is not called; `None` leaves it to the memory.
    ///
    /// No counterpart: tokio collects whatever comes.
    pub fn output_limit(&mut self, bytes: impl Into<Option<usize>>) -> &mut Self {
        self.output_limit = bytes.into();
        self
    }

    /// Starts the program. May be called outside of a runtime.
    ///
    /// # Errors
    ///
    /// Those of starting a program, such as [`NotFound`](io::ErrorKind::NotFound) and
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied); they name the program.
    pub fn spawn(&mut self) -> io::Result<Child> {
        reaper::attend();
        #[cfg(feature = "child-fds")]
        let _reserved = self.descriptors.reserve()?;
        let _starting = awaited::starting();
        let child = self.std.spawn().map_err(|error| self.not_started(error))?;
        Child::new(child, self.kill_on_drop, self.output_limit)
    }

    /// Starts the program now, and gives a future that waits for its end. Of its streams, those that are piped are closed.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Panics
    ///
    /// The future, when it is polled outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the child: it goes on, or is killed if [`kill_on_drop`](Self::kill_on_drop) says so.
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + Send + use<> {
        let child = self.spawn();
        async move {
            let mut child = child?;
            drop((child.stdout.take(), child.stderr.take()));
            child.wait().await
        }
    }

    /// Starts the program now, and gives a future that collects what it writes, and waits for its end. Standard output and standard
    /// error are piped, whatever was set for them, also for later starts; standard input is what was set.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    ///
    /// # Panics
    ///
    /// The future, when it is polled outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the child, with what was read: it goes on, or is killed if [`kill_on_drop`](Self::kill_on_drop) says
    /// so.
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + Send + use<> {
        let child = self.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        async move { child?.wait_with_output().await }
    }

    #[cold]
    fn not_started(&self, source: io::Error) -> io::Error {
        let program = self.std.get_program().to_owned();
        let directory = self.std.get_current_dir().map(Path::to_owned);
        io::Error::new(source.kind(), NotStarted { program, directory, source })
    }
}

impl From<std::process::Command> for Command {
    fn from(std: std::process::Command) -> Self {
        Self {
            std,
            kill_on_drop: false,
            output_limit: Some(OUTPUT_LIMIT),
            #[cfg(feature = "child-fds")]
            descriptors: Default::default(),
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("std", &self.std)
            .field("kill_on_drop", &self.kill_on_drop)
            .field("output_limit", &self.output_limit)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct NotStarted {
    program: OsString,
    directory: Option<PathBuf>,
    source: io::Error,
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program {:?} could not be started", self.program)?;
        if let Some(directory) = &self.directory {
            write!(f, " in the directory {directory:?}")?;
        }
        write!(f, ": {}", self.source)
    }
}

impl Error for NotStarted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

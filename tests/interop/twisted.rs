//! A virtual environment with Twisted in it, and scripts that run in it.

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use futures_util::stream::StreamExt;
use rt::process::{Child, ChildStdout};

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// However busy the machine is, a script that says nothing for so long says nothing any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test, and fails it if it takes too long.
pub(crate) fn block_on<F: Future>(test: F) -> F::Output {
    rt::block_on(async { rt::time::timeout(2 * PATIENCE, test).await.expect("both sides come to an end") })
}

/// Python with Twisted.
#[derive(Clone, Copy)]
pub(crate) struct Twisted {
    python: &'static Path,
}

impl Twisted {
    /// `None`, with a word about it on standard error, where there is none, or `RT_INTEROP=skip` says that it is not wanted.
    pub(crate) fn find() -> Option<Self> {
        static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
        let python = FOUND.get_or_init(|| {
            let wish = std::env::var("RT_INTEROP").unwrap_or_default();
            let made = if wish == "skip" { Err("RT_INTEROP=skip".to_owned()) } else { environment() };
            let reason = match made {
                Ok(python) => return Some(python),
                Err(reason) if wish == "require" => panic!("RT_INTEROP=require, and {reason}"),
                Err(reason) => reason,
            };
            // Past the test harness, which shows what a test writes only if it fails.
            let _ = writeln!(std::io::stderr(), "skipped: interoperation with Twisted: {reason}");
            None
        });
        python.as_deref().map(|python| Self { python })
    }

    /// Starts a script of this folder.
    pub(crate) fn start<A: AsRef<OsStr>>(self, script: &str, arguments: impl IntoIterator<Item = A>) -> Script {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script);
        let mut child = rt::process::Command::new(self.python)
            .arg(script)
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUTF8", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python starts, as it did before");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Script { child, lines }
    }
}

/// A script that runs. It is killed if the test fails before it ends.
pub(crate) struct Script {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Script {
    /// The port on which it listens.
    pub(crate) async fn port(&mut self) -> u16 {
        let line = self.line().await.expect("a port");
        let port = line.strip_prefix("listening ").unwrap_or_else(|| panic!("a port was expected: {line}"));
        port.parse().expect("a number")
    }

    /// The next thing that it tells; `None` at its end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let line = rt::time::timeout(PATIENCE, self.lines.next()).await.expect("it tells something, or ends");
        line.map(|line| line.expect("text in UTF-8"))
    }

    /// Gives it lines to read, and the end behind them.
    pub(crate) async fn write(&mut self, lines: impl IntoIterator<Item = impl Display>) {
        let text: String = lines.into_iter().map(|line| format!("{line}\n")).collect();
        let mut stdin = self.child.stdin.take().expect("it is written to once");
        stdin.write_all(text.as_bytes()).await.expect("it reads");
    }

    /// All that it tells until its end, which has to be a good one. A script that nobody listens to stops as soon as a pipe is full.
    pub(crate) async fn rest(mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(line) = self.line().await {
            rest.push(line);
        }
        let status = self.child.wait().await.expect("it is ours");
        assert!(status.success(), "{status} after {rest:?}");
        rest
    }
}

/// The Python of the environment, which is made if it is not there.
fn environment() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("twisted");
    let (python, made_of) = (folder.join("bin").join("python"), folder.join("requirements.txt"));
    let is_made = fs::read_to_string(&made_of).is_ok_and(|made_of| made_of == REQUIREMENTS);
    if is_made && run(&python, ["-c", "import OpenSSL, service_identity, twisted"]).is_ok() {
        return Ok(python);
    }
    let _ = fs::remove_dir_all(&folder);
    let venv = [OsStr::new("-m"), OsStr::new("venv"), folder.as_os_str()];
    run("python3", venv).map_err(|reason| format!("no virtual environment can be made: {reason}"))?;
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/requirements.txt");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "30"];
    let pip = pip.map(OsStr::new).into_iter().chain([OsStr::new("--requirement"), requirements.as_os_str()]);
    run(&python, pip).map_err(|reason| format!("Twisted cannot be installed: {reason}"))?;
    fs::write(&made_of, REQUIREMENTS).map_err(|error| format!("{}: {error}", made_of.display()))?;
    Ok(python)
}

/// Runs a program to its end; if that is no good one, the last thing that it said.
fn run<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = A>) -> Result<(), String> {
    let program = program.as_ref();
    let output = match Command::new(program).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("{} not found", program.display()));
        }
        Err(error) => return Err(format!("{}: {error}", program.display())),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("{} ended with {}: {last}", program.display(), output.status))
}

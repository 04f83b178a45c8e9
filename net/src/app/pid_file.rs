//! The file that says which process the application is.

use rustix::process::{Pid, test_kill_process};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;

/// A file with this process's id, locked for as long as the process has it; removed when this is dropped.
pub(super) struct PidFile {
    /// Absolute: the process may go to another directory.
    path: PathBuf,
    locked: File,
}

impl PidFile {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Self::claim(path).map_err(|error| io::Error::new(error.kind(), format!("pid file {}: {error}", path.display())))
    }

    fn claim(path: &Path) -> io::Result<Self> {
        let path = &*std::path::absolute(path)?;
        loop {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            if !file.metadata()?.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(taken(&read(&mut file)?)),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it may have removed it before this lock was there.
            if !is_at(&file, path)? {
                continue;
            }
            let written = read(&mut file)?;
            if written_id(&written)?.is_some_and(is_another_that_lives) {
                return Err(taken(&written));
            }
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", process::id())?;
            return Ok(Self { path: path.to_owned(), locked: file });
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Under the lock nobody else has written to it; but somebody may have put another one into its place.
        if is_at(&self.locked, &self.path).is_ok_and(|is_ours| is_ours) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn read(file: &mut File) -> io::Result<String> {
    /// Enough for any number of a process.
    const LIMIT: u64 = 64;
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (opened, there) = (file.metadata()?, fs::metadata(path));
    match there {
        Ok(there) => Ok((opened.dev(), opened.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// `None` if the file is empty, also in the way in which a crash of the system leaves files.
fn written_id(written: &str) -> io::Result<Option<Pid>> {
    let number = written.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if number.is_empty() {
        return Ok(None);
    }
    let id = number.parse().ok().filter(|id: &i32| *id > 0).and_then(Pid::from_raw);
    id.map(Some).ok_or_else(|| {
        let what = format!("what is in it, {number:?}, is no process id: remove the file if it is not needed");
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}

fn is_another_that_lives(pid: Pid) -> bool {
    // The same number as ours is left of an earlier run: in a container that is the usual case.
    if pid == rustix::process::getpid() {
        return false;
    }
    // One that may not be asked lives, too.
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

fn taken(written: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("process {} has it and lives", written.trim()))
}

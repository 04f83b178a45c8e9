//! The file that says which process the application is.

use rustix::process::{Pid, test_kill_process};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;

/// A file with this process's id, locked for as long as the process has it; removed when this is dropped.
pub(super) struct PidFile {
    path: PathBuf,
    _locked: File,
}

impl PidFile {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Self::claim(path).map_err(|error| io::Error::new(error.kind(), format!("pid file {}: {error}", path.display())))
    }

    fn claim(path: &Path) -> io::Result<Self> {
        loop {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
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
            if let Ok(id) = written.trim().parse()
                && is_another_that_lives(id)
            {
                return Err(taken(&written));
            }
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", process::id())?;
            return Ok(Self { path: path.to_owned(), _locked: file });
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Under the lock: nobody else has written to it.
        let _ = fs::remove_file(&self.path);
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

fn is_another_that_lives(id: i32) -> bool {
    // The same number as ours is left of an earlier run: in a container that is the usual case.
    let Some(pid) = Pid::from_raw(id).filter(|_| u32::try_from(id) != Ok(process::id())) else { return false };
    // One that may not be asked lives, too.
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

fn taken(written: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("process {} has it and lives", written.trim()))
}

//! The hosts file: read when somebody asks, and again when it has changed.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A file beyond this is left to the system's resolver.
const LARGEST: u64 = 1 << 20;

/// A hosts file and what was in it.
#[derive(Debug)]
pub(super) struct HostsFile {
    path: PathBuf,
    /// How long the file counts as unchanged without a look.
    check_interval: Duration,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    checked: Option<Instant>,
    version: Option<Version>,
    names: Arc<Names>,
}

/// Addresses by name in lower case.
type Names = HashMap<Box<str>, Vec<IpAddr>>;

/// What of a file changes when somebody writes to it or puts another in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    modified: SystemTime,
    length: u64,
    file: u64,
}

impl HostsFile {
    pub(super) fn new(path: PathBuf, check_interval: Duration) -> Self {
        Self { path, check_interval, known: Mutex::default() }
    }

    /// The addresses of `host`, which is in lower case, in the order of the file. A file that cannot be read knows no names.
    pub(super) fn addresses(&self, host: &str) -> Option<Vec<IpAddr>> {
        self.names().get(host).cloned()
    }

    fn names(&self) -> Arc<Names> {
        let mut known = self.known.lock();
        if known.checked.is_some_and(|checked| checked.elapsed() < self.check_interval) {
            return Arc::clone(&known.names);
        }
        known.checked = Some(Instant::now());
        let metadata = fs::metadata(&self.path).ok();
        let version = metadata.as_ref().and_then(Version::of);
        if version.is_none() || version != known.version {
            known.names = Arc::new(metadata.and_then(|metadata| self.read(&metadata).ok()).unwrap_or_default());
            known.version = version;
        }
        Arc::clone(&known.names)
    }

    /// Only a regular file is opened: another might keep its reader waiting.
    fn read(&self, metadata: &Metadata) -> io::Result<Names> {
        if !metadata.is_file() || metadata.len() > LARGEST {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut text = Vec::new();
        File::open(&self.path)?.take(LARGEST + 1).read_to_end(&mut text)?;
        if text.len() as u64 > LARGEST {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(parse(&String::from_utf8_lossy(&text)))
    }
}

impl Version {
    fn of(metadata: &Metadata) -> Option<Version> {
        #[cfg(unix)]
        let file = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let file = 0;
        Some(Version { modified: metadata.modified().ok()?, length: metadata.len(), file })
    }
}

/// Lines of an address and its names; what follows `#` is a comment, and lines that make no sense are skipped.
fn parse(text: &str) -> Names {
    let mut names = Names::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        for name in words {
            let addresses = names.entry(name.to_ascii_lowercase().into()).or_default();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_comments_and_nonsense() {
        let names = parse(
            "# a comment\n127.0.0.1 one One.Example # two\n\n::1\tone\n 10.0.0.1 one one\nno-address three\n10.0.0.2\n",
        );
        let one = ["127.0.0.1", "::1", "10.0.0.1"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(names["one"], one);
        assert_eq!(names["one.example"], one[..1]);
        assert_eq!(names.len(), 2);
    }
}

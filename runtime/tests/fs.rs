//! Whole files and directories.

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/directory.rs"]
mod directory;

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::pin;

use directory::Directory;
use rt_runtime::fs;

#[test]
fn written_and_read() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("file");
        fs::write(&path, b"hello").await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"hello");
        fs::write(&path, "less").await.unwrap();
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "less");
        fs::write(&path, [0xff]).await.unwrap();
        assert_eq!(fs::read_to_string(&path).await.unwrap_err().kind(), ErrorKind::InvalidData);
    });
}

#[test]
fn copied_renamed_and_removed() {
    flavor::block_on(async {
        let directory = Directory::new();
        let [a, b, c] = ["a", "b", "c"].map(|name| directory.path(name));
        fs::write(&a, "four").await.unwrap();
        assert_eq!(fs::copy(&a, &b).await.unwrap(), 4);
        fs::rename(&b, &c).await.unwrap();
        assert!(!fs::try_exists(&b).await.unwrap());
        assert_eq!(fs::metadata(&c).await.unwrap().len(), 4);
        fs::remove_file(&a).await.unwrap();
        assert!(!fs::try_exists(&a).await.unwrap());
        assert_eq!(fs::remove_file(&a).await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn directories_made_and_removed() {
    flavor::block_on(async {
        let directory = Directory::new();
        let (above, below) = (directory.path("above"), directory.path("above/below"));
        assert_eq!(fs::create_dir(&below).await.unwrap_err().kind(), ErrorKind::NotFound);
        fs::create_dir(&above).await.unwrap();
        fs::create_dir_all(&below).await.unwrap();
        fs::create_dir_all(&below).await.unwrap();
        assert_eq!(fs::remove_dir(&above).await.unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
        fs::remove_dir(&below).await.unwrap();
        fs::DirBuilder::new().recursive(true).create(below.join("deep")).await.unwrap();
        assert!(fs::DirBuilder::new().create(&above).await.is_err());
        fs::remove_dir_all(&above).await.unwrap();
        assert!(!fs::try_exists(&above).await.unwrap());
    });
}

#[cfg(unix)]
#[test]
fn links_and_permissions() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    flavor::block_on(async {
        let directory = Directory::new();
        let [file, link, hard] = ["file", "link", "hard"].map(|name| directory.path(name));
        fs::write(&file, "x").await.unwrap();
        fs::symlink(&file, &link).await.unwrap();
        fs::hard_link(&file, &hard).await.unwrap();
        assert_eq!(fs::read_link(&link).await.unwrap(), file);
        assert_eq!(fs::canonicalize(&link).await.unwrap(), fs::canonicalize(&file).await.unwrap());
        assert!(fs::symlink_metadata(&link).await.unwrap().is_symlink());
        assert_eq!(fs::metadata(&link).await.unwrap().nlink(), 2);
        fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).await.unwrap();
        assert_eq!(fs::metadata(&hard).await.unwrap().permissions().mode() & 0o777, 0o600);
        let made = directory.path("made");
        fs::DirBuilder::new().mode(0o700).create(&made).await.unwrap();
        assert_eq!(fs::metadata(&made).await.unwrap().permissions().mode() & 0o777, 0o700);
    });
}

/// More entries than a batch has; each future is dropped after its first poll.
#[test]
fn entries_when_the_future_is_dropped_at_every_poll() {
    flavor::block_on(async {
        let directory = Directory::new();
        let names: BTreeSet<_> = (0..300).map(|n| n.to_string()).collect();
        for name in &names {
            std::fs::write(directory.path(name), name).unwrap();
        }
        let mut entries = fs::read_dir(directory.path("")).await.unwrap();
        let mut found = Vec::new();
        while let Some(entry) = poll_fn(|cx| pin!(entries.next_entry()).poll(cx)).await.unwrap() {
            assert!(entry.file_type().await.unwrap().is_file());
            found.push(entry.file_name().into_string().unwrap());
        }
        assert_eq!(found.len(), 300);
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), names);
        assert!(entries.next_entry().await.unwrap().is_none());
    });
}

#[test]
fn entry_knows_its_file() {
    flavor::block_on(async {
        let directory = Directory::new();
        fs::write(directory.path("file"), "four").await.unwrap();
        let mut entries = fs::read_dir(directory.path("")).await.unwrap();
        let entry = entries.next_entry().await.unwrap().unwrap();
        assert_eq!(entry.path(), directory.path("file"));
        assert_eq!(entry.metadata().await.unwrap().len(), 4);
        #[cfg(unix)]
        assert_eq!(entry.ino(), std::os::unix::fs::MetadataExt::ino(&entry.metadata().await.unwrap()));
        assert_eq!(fs::read_dir(directory.path("none")).await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

/// The pool has one thread, so that what comes later is carried out after what was dropped.
#[test]
fn dropped_call_is_carried_out() {
    let runtime = flavor::builder().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let directory = Directory::new();
        let path = directory.path("file");
        poll_once(fs::write(&path, "written all the same")).await;
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "written all the same");
        drop(fs::write(&path, "never polled"));
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "written all the same");
    });
}

async fn poll_once<F: Future>(future: F) {
    let mut future = pin!(future);
    poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
}

//! The fuzz targets, on the inputs that are kept in `fuzz/corpus`, and on others that are not far from them.

mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A test for each target: a failure names it.
macro_rules! replayed {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                replay(stringify!($target));
            }
        )*

        #[test]
        fn targets_tests_and_programs_are_the_same() {
            let tested = BTreeSet::from([$(stringify!($target).to_owned()),*]);
            let listed: BTreeSet<_> = targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
            let programs: BTreeSet<_> = files(&fuzz().join("fuzz_targets")).iter().map(|path| stem(path)).collect();
            assert_eq!(tested, listed);
            assert_eq!(programs, listed);
        }
    };
}

replayed! {
    line_receiver
    line_only_receiver
    netstring_receiver
    int_string_receiver
    amp_box_parser
    endpoint_strings
    connection
}

/// How many changed inputs are tried for each that is kept.
const CHANGED: u32 = 30;

fn replay(target: &str) {
    let kept = files(&fuzz().join("corpus").join(target));
    assert!(!kept.is_empty(), "{target} has no inputs");
    let mut random = Random(0x9E37_79B9);
    for path in kept {
        let input = fs::read(&path).expect("an input can be read");
        run(target, &input, &path);
        for _ in 0..CHANGED {
            let changed = random.change(input.clone());
            run(target, &changed, &path);
        }
    }
}

fn run(target: &str, input: &[u8], near: &Path) {
    let whole = std::panic::AssertUnwindSafe(|| targets::run(target, input));
    if let Err(panic) = std::panic::catch_unwind(whole) {
        println!("{target} fails on this input, near {}:\n{input:?}", near.display());
        std::panic::resume_unwind(panic);
    }
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a directory can be read").path()).collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a file has a name").to_str().expect("its name is ASCII").to_owned()
}

/// The same numbers each time.
struct Random(u32);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % limit.max(1)
    }

    /// Changes bytes, or takes some out, or puts a part in twice.
    fn change(&mut self, mut input: Vec<u8>) -> Vec<u8> {
        for _ in 0..=self.below(4) {
            let from = self.below(input.len());
            let to = (from + 1 + self.below(20)).min(input.len());
            match self.below(4) {
                0 => drop(input.drain(from..to)),
                1 => input.extend_from_within(from..to),
                _ if input.is_empty() => input.push(self.below(256) as u8),
                2 => input[from] = self.below(256) as u8,
                _ => input[from] ^= 1 << self.below(8),
            }
        }
        input
    }
}

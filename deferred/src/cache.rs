//! Values that are expensive to get, kept and got once.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::rc::{Rc, Weak};

use lru::LruCache;

use crate::observers::{Common, Flight, copy};
use crate::{Deferred, IntoOutcome, maybe_deferred};

/// A cache of at most `capacity` values, which gets what it does not have from a function that may return a Deferred.
///
/// - **Single flight**: who asks for a key while its value is being got joins that; the function runs once.
/// - **Failures are not kept**: all who have joined get the failure, the next one to ask tries anew.
/// - **Cancelling** one caller's Deferred concerns that caller alone. When all who have joined have cancelled, the
///   function's own Deferred is cancelled, and the next one to ask tries anew.
/// - **Eviction**: when it is full, the value that has not been asked for the longest makes room.
///
/// Each caller gets a clone of the value: for large ones let `V` be an `Rc`. What is being got does not count for the
/// capacity; there is at most one such per key that somebody has asked for. `Hash` and `Eq` of the keys must not use the
/// cache. The function must not wait for the very key
/// that it gets: that would be waiting for itself.
///
/// It is a handle: clones are the same cache. When the last one is dropped, who waits gets the value nevertheless.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, DeferredCache, success_result_of};
///
/// let (answer, server) = Deferred::new();
/// let answer = std::cell::Cell::new(Some(answer));
/// let addresses = DeferredCache::new(100, move |host: &str| {
///     println!("asking for {host}");
///     answer.take().expect("asked once")
/// });
///
/// let (first, second) = (addresses.get("example.org"), addresses.get("example.org"));
/// server.callback([192, 0, 2, 1]).unwrap();
/// assert_eq!(success_result_of(first), [192, 0, 2, 1]);
/// assert_eq!(success_result_of(second), [192, 0, 2, 1]);
/// assert_eq!(success_result_of(addresses.get("example.org")), [192, 0, 2, 1]);
/// ```
///
/// Counterpart: `DeferredCache` of Synapse, on Twisted.
pub struct DeferredCache<K, V> {
    shared: Rc<Shared<K, V>>,
}

struct Shared<K, V> {
    fill: Box<dyn Fn(K) -> Deferred<V>>,
    /// They have values, not failures.
    kept: RefCell<LruCache<K, Common<V>>>,
    filling: RefCell<HashMap<K, Numbered<V>>>,
    /// How many fills there were.
    fills: Cell<u64>,
}

/// A fill and which one it is.
struct Numbered<V> {
    number: u64,
    flight: Flight<V>,
}

impl<K: Hash + Eq + Clone + 'static, V: Clone + 'static> DeferredCache<K, V> {
    /// A cache that keeps `capacity` values at most, got with `fill`, which may return what callbacks may; see
    /// [`IntoOutcome`].
    ///
    /// # Panics
    ///
    /// If `capacity` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{DeferredCache, success_result_of};
    ///
    /// let squares = DeferredCache::new(2, |n: u32| n * n);
    /// for n in [1, 2, 3] {
    ///     assert_eq!(success_result_of(squares.get(n)), n * n);
    /// }
    /// assert_eq!(squares.try_get(&1), None, "there is room for two");
    /// ```
    pub fn new<Kind, R>(capacity: usize, fill: impl Fn(K) -> R + 'static) -> Self
    where
        R: IntoOutcome<V, Kind>,
    {
        let Some(capacity) = NonZeroUsize::new(capacity) else {
            panic!("a cache has room for at least 1 value, not 0: it could not keep any");
        };
        // Made without a bound, and bounded then, so that the room is taken as it is needed.
        let mut kept = LruCache::unbounded();
        kept.resize(capacity);
        let shared = Shared {
            fill: Box::new(move |key| maybe_deferred(|| fill(key))),
            kept: RefCell::new(kept),
            filling: RefCell::new(HashMap::new()),
            fills: Cell::new(0),
        };
        Self { shared: Rc::new(shared) }
    }

    /// A Deferred of the value: fired already if it is kept; otherwise it fires when the value has been got.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{DeferredCache, Failure, failure_result_of, success_result_of};
    ///
    /// let tries = std::cell::Cell::new(0);
    /// let pages = DeferredCache::new(100, move |name: &str| {
    ///     tries.set(tries.get() + 1);
    ///     if tries.get() == 1 { Err(Failure::new("no answer")) } else { Ok(format!("page {name}")) }
    /// });
    /// assert_eq!(failure_result_of(pages.get("index")).to_string(), "no answer");
    /// assert_eq!(success_result_of(pages.get("index")), "page index");
    /// ```
    #[track_caller]
    pub fn get(&self, key: K) -> Deferred<V> {
        let shared = &self.shared;
        if let Some(kept) = shared.look(&key) {
            return match copy(&kept) {
                Ok(value) => Deferred::succeed(value),
                Err(failure) => Deferred::fail(failure),
            };
        }
        if let Some(flight) = shared.flight(&key) {
            return flight.join();
        }
        let entry = Entry { cache: Rc::downgrade(shared), key: key.clone(), number: shared.fills.get() };
        shared.fills.set(entry.number + 1);
        let forsaken = entry.clone();
        let flight = Flight::new(move || {
            forsaken.remove();
        });
        let caller = flight.join();
        let filling = Numbered { number: entry.number, flight: flight.clone() };
        let own = key.clone();
        let former = shared.filling.borrow_mut().insert(own, filling);
        drop(former);

        let fill = Fill(entry);
        flight.begin((shared.fill)(key), move |result| fill.land(result));
        caller
    }

    /// The value if it is kept. It counts as asked for.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredCache;
    ///
    /// let squares = DeferredCache::new(100, |n: u32| n * n);
    /// assert_eq!(squares.try_get(&4), None);
    /// drop(squares.get(4));
    /// assert_eq!(squares.try_get(&4), Some(16));
    /// ```
    pub fn try_get(&self, key: &K) -> Option<V> {
        let kept = self.shared.look(key)?;
        copy(&kept).ok()
    }

    /// Keeps a value that was got elsewhere, in place of what is kept or being got for this key.
    ///
    /// Who waits for that gets it as before.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{DeferredCache, success_result_of};
    ///
    /// let pages = DeferredCache::new(100, |name: &str| format!("{name}, got"));
    /// pages.insert("index", "index, known".to_owned());
    /// assert_eq!(success_result_of(pages.get("index")), "index, known");
    /// ```
    pub fn insert(&self, key: K, value: V) {
        let superseded = self.shared.filling.borrow_mut().remove(&key);
        self.shared.keep(key, Rc::new(Ok(value)));
        drop(superseded);
    }

    /// Forgets the value of a key. True if it was kept or being got.
    ///
    /// What is being got goes to who waits for it and is not kept; who asks from now on tries anew.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredCache;
    ///
    /// let squares = DeferredCache::new(100, |n: u32| n * n);
    /// drop(squares.get(4));
    /// assert!(squares.invalidate(&4));
    /// assert_eq!(squares.try_get(&4), None);
    /// assert!(!squares.invalidate(&4));
    /// ```
    pub fn invalidate(&self, key: &K) -> bool {
        let kept = self.shared.kept.borrow_mut().pop_entry(key);
        let filling = self.shared.filling.borrow_mut().remove_entry(key);
        kept.is_some() || filling.is_some()
    }

    /// Forgets all values, as [`invalidate`](Self::invalidate) does with one.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredCache;
    ///
    /// let squares = DeferredCache::new(100, |n: u32| n * n);
    /// (1..=10).for_each(|n| drop(squares.get(n)));
    /// squares.clear();
    /// assert!(squares.is_empty());
    /// ```
    pub fn clear(&self) {
        let mut kept = LruCache::unbounded();
        kept.resize(self.capacity());
        let kept = self.shared.kept.replace(kept);
        let filling = self.shared.filling.take();
        drop((kept, filling));
    }

    /// How many values are kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredCache;
    ///
    /// let squares = DeferredCache::new(100, |n: u32| n * n);
    /// (1..=10).for_each(|n| drop(squares.get(n)));
    /// assert_eq!(squares.len(), 10);
    /// ```
    pub fn len(&self) -> usize {
        self.shared.kept.borrow().len()
    }

    /// Whether no value is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredCache;
    ///
    /// let squares = DeferredCache::new(100, |n: u32| n * n);
    /// assert!(squares.is_empty());
    /// drop(squares.get(4));
    /// assert!(!squares.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values are being got.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, DeferredCache};
    ///
    /// let (answer, server) = Deferred::new();
    /// let answer = std::cell::Cell::new(Some(answer));
    /// let addresses = DeferredCache::new(100, move |_host: &str| answer.take().expect("asked once"));
    /// drop(addresses.get("example.org"));
    /// assert_eq!((addresses.filling(), addresses.len()), (1, 0));
    /// server.callback([192, 0, 2, 1]).unwrap();
    /// assert_eq!((addresses.filling(), addresses.len()), (0, 1));
    /// ```
    pub fn filling(&self) -> usize {
        self.shared.filling.borrow().len()
    }

    /// How many values are kept at most.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::DeferredCache;
    ///
    /// let squares = DeferredCache::new(100, |n: u32| n * n);
    /// assert_eq!(squares.capacity().get(), 100);
    /// ```
    pub fn capacity(&self) -> NonZeroUsize {
        self.shared.kept.borrow().cap()
    }
}

impl<K: Hash + Eq + 'static, V: Clone + 'static> Shared<K, V> {
    fn look(&self, key: &K) -> Option<Common<V>> {
        self.kept.borrow_mut().get(key).cloned()
    }

    fn flight(&self, key: &K) -> Option<Flight<V>> {
        self.filling.borrow().get(key).map(|filling| filling.flight.clone())
    }

    fn keep(&self, key: K, value: Common<V>) {
        let evicted = self.kept.borrow_mut().push(key, value);
        // Outside of the borrow.
        drop(evicted);
    }
}

/// A fill's place in its cache.
struct Entry<K, V> {
    cache: Weak<Shared<K, V>>,
    key: K,
    number: u64,
}

impl<K: Hash + Eq, V> Entry<K, V> {
    /// True if it was there, and not superseded.
    fn remove(&self) -> bool {
        let Some(cache) = self.cache.upgrade() else { return false };
        let mut filling = cache.filling.borrow_mut();
        let is_there = filling.get(&self.key).is_some_and(|filling| filling.number == self.number);
        let removed = if is_there { filling.remove_entry(&self.key) } else { None };
        drop(filling);
        removed.is_some()
    }
}

impl<K: Clone, V> Clone for Entry<K, V> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), key: self.key.clone(), number: self.number }
    }
}

/// A fill under way. Its end, or its being given up by who would fire it, frees its place.
struct Fill<K: Hash + Eq, V>(Entry<K, V>);

impl<K: Hash + Eq + Clone + 'static, V: Clone + 'static> Fill<K, V> {
    fn land(&self, result: &Common<V>) {
        let is_wanted = self.0.remove();
        if is_wanted
            && result.is_ok()
            && let Some(cache) = self.0.cache.upgrade()
        {
            cache.keep(self.0.key.clone(), result.clone());
        }
    }
}

impl<K: Hash + Eq, V> Drop for Fill<K, V> {
    fn drop(&mut self) {
        self.0.remove();
    }
}

impl<K, V> Clone for DeferredCache<K, V> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<K, V> fmt::Debug for DeferredCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filling = self.shared.filling.borrow().len();
        f.debug_struct("DeferredCache").field("filling", &filling).finish_non_exhaustive()
    }
}

//! Instant.

use super::*;

#[test]
fn arithmetic_saturates_where_tokio_does() {
    let now = Instant::now();
    let later = now + SECOND;
    assert_eq!(later - now, SECOND);
    assert_eq!(now - later, Duration::ZERO);
    assert_eq!(now.duration_since(later), Duration::ZERO);
    assert_eq!(now.saturating_duration_since(later), Duration::ZERO);
    assert_eq!(now.checked_duration_since(later), None);
    assert_eq!(later.checked_duration_since(now), Some(SECOND));
    assert_eq!(later - SECOND, now);
    assert_eq!(now.checked_add(Duration::MAX), None);
    assert_eq!(now.checked_sub(Duration::MAX), None);
    let mut moved = now;
    moved += SECOND;
    assert_eq!(moved, later);
    moved -= SECOND;
    assert_eq!(moved, now);
    assert!(now < later);
}

#[test]
fn to_and_from_the_standard_library() {
    let std = std::time::Instant::now();
    let instant = Instant::from_std(std);
    assert_eq!(instant.into_std(), std);
    assert_eq!(Instant::from(std), instant);
    assert_eq!(std::time::Instant::from(instant), std);
    assert_eq!(format!("{instant:?}"), format!("{std:?}"));
}

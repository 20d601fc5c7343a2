//! The state folder: one user, one format, one process of each kind.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tandem_server::state::{Part, StateError, StateFolder};

fn folder() -> (tempfile::TempDir, StateFolder) {
    let temp = tempfile::tempdir().unwrap();
    let state = StateFolder::at(&temp.path().join("state"));
    (temp, state)
}

#[test]
fn a_new_folder_is_its_owners_alone() {
    let (_temp, state) = folder();
    state.prepare().unwrap();
    assert_eq!(fs::metadata(state.path()).unwrap().permissions().mode() & 0o777, 0o700);
    state.prepare().unwrap();
}

#[test]
fn a_folder_of_a_newer_version_is_refused_untouched() {
    let (_temp, state) = folder();
    fs::create_dir(state.path()).unwrap();
    fs::write(state.path().join("format"), "999\n").unwrap();
    let error = state.prepare().unwrap_err();
    assert!(matches!(error, StateError::Newer { found: 999, .. }), "{error}");
    assert!(error.to_string().contains("newer version of Tandem"), "{error}");
    assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_whose_sockets_could_not_be_bound_is_refused() {
    let (temp, _) = folder();
    let state = StateFolder::at(&temp.path().join("x".repeat(100)));
    assert!(matches!(state.prepare(), Err(StateError::PathTooLong { .. })));
    assert!(!state.path().exists());
}

#[test]
fn the_second_holder_is_told_of_the_first() {
    let (_temp, state) = folder();
    state.prepare().unwrap();
    let lock = state.lock(Part::Supervisor).unwrap();
    assert!(!lock.after_crash);
    let error = state.lock(Part::Supervisor).unwrap_err();
    assert!(error.to_string().contains(&format!("(pid {})", std::process::id())), "{error}");
    assert_eq!(state.holder(Part::Supervisor), Some(std::process::id()));
    assert_eq!(state.holder(Part::Controller), None);
    lock.release();
    assert_eq!(state.holder(Part::Supervisor), None);
}

#[test]
fn a_holder_that_was_killed_is_noticed_by_the_next() {
    let (_temp, state) = folder();
    state.prepare().unwrap();
    drop(state.lock(Part::Supervisor).unwrap());
    let lock = state.lock(Part::Supervisor).unwrap();
    assert!(lock.after_crash);
    lock.release();
    assert!(!state.lock(Part::Supervisor).unwrap().after_crash);
}

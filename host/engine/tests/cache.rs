//! Compiled policies on disk.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod common;

use barmkin_host::*;
use common::{SECRET, act, head, policy, route, scripted, spec};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// A gate elsewhere that shares the folder may have the same process id: what
/// it writes must not end up in an entry of ours, however the two overlap.
#[test]
fn no_other_process_writes_into_an_entry() {
    use std::os::unix::fs::FileExt;

    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, PermissionsExt::from_mode(0o700)).unwrap();
    // The files that another with our id and count would be writing.
    let others: Vec<_> = (0..64)
        .map(|number| {
            let name = format!("{}-{number}.unfinished", std::process::id());
            let file = fs::File::options().write(true).create_new(true).open(cache.join(name)).unwrap();
            file.set_permissions(PermissionsExt::from_mode(0o600)).unwrap();
            file
        })
        .collect();
    let compiled = decide(&cache);
    let entry = entries(&cache).into_iter().find(|path| path.extension().is_some_and(|name| name == "policy")).unwrap();
    let kept = fs::read(&entry).unwrap();
    others.iter().for_each(|other| other.write_all_at(b"a lenient policy", 0).unwrap());
    assert!(fs::read(&entry).unwrap() == kept, "another process wrote into it");
    assert_eq!(decide(&cache), compiled);
}

/// A page of zeros in machine code is machine code, and its end is SIGSEGV.
#[test]
fn what_a_crash_or_a_disk_did_to_an_entry_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let compiled = decide(&cache);
    let entry = entries(&cache).remove(0);
    let whole = fs::read(&entry).unwrap();
    for tenth in 0..10 {
        let at = whole.len() / 10 * tenth;
        let mut zeros = whole.clone();
        let end = whole.len().min(at + whole.len() / 8);
        zeros[at..end].fill(0);
        fs::write(&entry, &zeros).unwrap();
        assert_eq!(decide(&cache), compiled, "zeros at {at}");
        assert!(fs::read(&entry).unwrap() != zeros, "it was not made again");
    }
}

/// An entry under the name of another is not it: a policy that is lenient must
/// not run in the place of one that is strict.
#[test]
fn an_entry_runs_for_what_it_was_made_of_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let [strict, lenient] = ["strict", "lenient"].map(|name| folder.path().join(name));
    let compiled = decide(&strict);
    let spec = spec(vec![("only", scripted(1, true, OnError::Deny))], vec![route("r", &[policy("only")])], 9);
    let key = Key::new(Algorithm::HmacSha256).with_secret("test", SECRET, None).unwrap();
    let engine = Engine::new(&settings(&lenient)).unwrap();
    let keys = KeyRing::default().with("signing", key);
    drop(Generation::build(&engine, &spec, &keys, Services::new(MemoryStore::default())).unwrap());
    let other = entries(&lenient).remove(0);
    fs::copy(other, entries(&strict).remove(0)).unwrap();
    assert_eq!(decide(&strict), compiled);
}

fn settings(cache: &Path) -> EngineSettings {
    EngineSettings {
        concurrent_checks_max: 8,
        warm_slots: 8,
        cache: Some(cache.to_owned()),
        ..EngineSettings::default()
    }
}

/// The decision of a gate in a new process, and the manifest it decides by.
fn decide(cache: &Path) -> (Option<String>, String) {
    let spec = spec(vec![("only", scripted(0, true, OnError::Deny))], vec![route("r", &[policy("only")])], 9);
    let key = Key::new(Algorithm::HmacSha256).with_secret("test", SECRET, None).unwrap();
    let keys = KeyRing::default().with("signing", key);
    let engine = Engine::new(&settings(cache)).unwrap();
    let generation = Generation::build(&engine, &spec, &keys, Services::new(MemoryStore::default())).unwrap();
    let manifest = generation.policies().map(|policy| format!("{:?}", policy.manifest)).collect();
    let verdict = Gate::new(generation).check_now(head("/r", &[act(0, "take:10")]), Body::NotCarried).unwrap();
    (verdict.reason().map(ToString::to_string), manifest)
}

fn entries(cache: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_cached_policy_decides_like_one_that_was_just_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");

    let compiled = decide(&cache);
    assert_eq!(compiled.0.as_deref(), Some("over-quota"));
    let kept = entries(&cache);
    assert_eq!(kept.len(), 1);
    let written = fs::metadata(&kept[0]).unwrap().modified().unwrap();

    assert_eq!(decide(&cache), compiled);
    assert_eq!(entries(&cache), kept);
    assert_eq!(fs::metadata(&kept[0]).unwrap().modified().unwrap(), written, "nothing is compiled again");
}

#[test]
fn what_nobody_will_finish_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    decide(&cache);
    fs::remove_file(&entries(&cache)[0]).unwrap();
    let leave = |name: &str, age: Duration| {
        let file = fs::File::create(cache.join(name)).unwrap();
        let made = file.metadata().unwrap().modified().unwrap();
        file.set_modified(made - age).unwrap();
    };
    leave("1-0.unfinished", Duration::from_secs(2 * 60 * 60));
    leave("2-0.unfinished", Duration::ZERO);
    leave("notes.txt", Duration::from_secs(2 * 60 * 60));

    decide(&cache);
    let mut names: Vec<_> = entries(&cache).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    names.retain(|name| !name.to_string_lossy().ends_with(".policy"));
    names.sort();
    assert_eq!(names, ["2-0.unfinished", "notes.txt"]);
}

#[test]
fn what_others_can_write_or_is_damaged_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let compiled = decide(&cache);
    let entry = entries(&cache).remove(0);

    fs::set_permissions(&entry, PermissionsExt::from_mode(0o666)).unwrap();
    assert_eq!(decide(&cache), compiled);
    let mode = fs::metadata(&entry).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it was compiled and written again");

    for length in [0, 3, 40, 400] {
        fs::File::options().write(true).open(&entry).unwrap().set_len(length).unwrap();
        assert_eq!(decide(&cache), compiled, "{length}");
    }

    fs::set_permissions(&cache, PermissionsExt::from_mode(0o777)).unwrap();
    let error = Engine::new(&settings(&cache)).err().unwrap();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with("others can write to the cache folder"), "{source}");

    // Nor when they may put another folder in its place.
    fs::set_permissions(&cache, PermissionsExt::from_mode(0o700)).unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let error = Engine::new(&settings(&cache)).err().unwrap();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with("others can write to the cache folder"), "{source}");
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
}

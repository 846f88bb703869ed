//! Entries that are not what was written.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::policy::bindings::barmkin::policy::types::RequestParts;
use crate::policy::manifest::BodyInput;
use crate::verdict::Digest;

struct Kept {
    engine: Engine,
    cache: Cache,
    key: Key,
    _folder: tempfile::TempDir,
}

fn manifest() -> Manifest {
    Manifest {
        parts: RequestParts::METHOD,
        headers: Vec::new(),
        query_parameters: Vec::new(),
        body: BodyInput::OnHost,
        keys: Vec::new(),
        nonces: vec!["deliveries".to_owned()],
        quotas: Vec::new(),
        sets: Vec::new(),
        vouches: true,
    }
}

fn kept() -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::default();
    let cache = Cache::open(&folder.path().join("cache")).unwrap();
    let key = Key::new(&engine, Digest([7; 32]), "{}", 65_536);
    let component = "(component (core module (func (export \"f\") (result i32) (i32.const 7))))";
    let component = Component::new(&engine, wat::parse_str(component).unwrap()).unwrap();
    cache.keep(
        &key,
        &Cached {
            manifest: manifest(),
            memory_bytes: 65_536,
            not_renewed: Some("it is strange".to_owned()),
            component,
        },
    );
    Kept { engine, cache, key, _folder: folder }
}

#[test]
fn an_entry_is_found_as_it_was_kept_and_by_no_other_key() {
    let Kept { engine, cache, key, .. } = &kept();
    let found = cache.find(engine, key).unwrap();
    assert_eq!(format!("{:?}", found.manifest), format!("{:?}", manifest()));
    assert_eq!((found.memory_bytes, found.not_renewed.as_deref()), (65_536, Some("it is strange")));

    let mut of_wasm = wasmtime::Config::new();
    of_wasm.epoch_interruption(true);
    let others = [
        Key::new(engine, Digest([8; 32]), "{}", 65_536),
        Key::new(engine, Digest([7; 32]), "{\"a\":1}", 65_536),
        Key::new(engine, Digest([7; 32]), "{}", 131_072),
        Key::new(&Engine::new(&of_wasm).unwrap(), Digest([7; 32]), "{}", 65_536),
    ];
    for other in others {
        assert!(cache.find(engine, &other).is_none());
        // Nor when it lies under the other's name.
        fs::copy(cache.path(key), cache.path(&other)).unwrap();
        assert!(cache.find(engine, &other).is_none());
    }
}

#[test]
fn nothing_but_what_was_written_reaches_the_runtime() {
    let Kept { engine, cache, key, .. } = &kept();
    let path = cache.path(key);
    let whole = fs::read(&path).unwrap();
    let put = |bytes: &[u8]| fs::write(&path, bytes).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 200).chain([whole.len() - 1]) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        put(&flipped);
        assert!(cache.find(engine, key).is_none(), "a bit at {at}");
        put(&whole[..at]);
        assert!(cache.find(engine, key).is_none(), "cut off at {at}");
        let mut zeros = whole.clone();
        let end = whole.len().min(at + 4_096);
        zeros[at..end].fill(0);
        put(&zeros);
        assert_eq!(cache.find(engine, key).is_some(), zeros == whole, "zeros at {at}");
    }
    put(&[whole.as_slice(), &[0]].concat());
    assert!(cache.find(engine, key).is_none(), "a byte too many");
    put(&whole);
    assert!(cache.find(engine, key).is_some());
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let Kept { engine, cache, key, .. } = &kept();
    let path = cache.path(key);
    fs::remove_file(&path).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    assert!(cache.find(engine, key).is_none());
}

#[test]
fn writing_leaves_nothing_unfinished() {
    let kept = kept();
    let names: Vec<_> = fs::read_dir(&kept.cache.folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names, [kept.cache.path(&kept.key)]);
}

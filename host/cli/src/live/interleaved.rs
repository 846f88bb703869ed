//! Withdrawing, loading and what happens to the files, in every order.

use super::load::Read;
use super::watch::Watch;
use super::{Found, Live, Looked};
use crate::store::Credentials;
use barmkin_admin::{By, Outcome, Reloads};
use barmkin_host::{MemoryStore, NoMetrics};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

const RULES: &str = r#"version = 1
include = ["keys.toml"]

[listen.edge]
kind = "reverse-proxy"
address = "127.0.0.1:0"
upstream = "http://127.0.0.1:1"

[[routes]]
name = "open"
public = true
"#;

const KEYS: &str = r#"
[keys.github]
algorithm = "hmac-sha256"
secrets = [
    { id = "new", from = "file:new" },
    { id = "old", from = "file:old", until = "2099-01-01T00:00:00Z" },
]
"#;

/// A way in which a secret goes away, and comes back as it was.
struct Way {
    name: &'static str,
    file: &'static str,
    here: &'static str,
    /// The content of the file instead; `None` if it is removed.
    away: Option<String>,
}

fn ways() -> [Way; 5] {
    let without = KEYS.lines().filter(|line| !line.contains("\"old\"")).collect::<Vec<_>>().join("\n");
    let way = |name, file, here, away| Way { name, file, here, away };
    [
        way("its file is removed", "old", "the old secret", None),
        way("its file has another", "old", "the old secret", Some("a third secret".to_owned())),
        way("its entry in an included file is removed", "keys.toml", KEYS, Some(without)),
        way("its `until` is sooner", "keys.toml", KEYS, Some(KEYS.replace("2099", "2098"))),
        way("the included file has no keys", "keys.toml", KEYS, Some(String::new())),
    ]
}

impl Way {
    fn go(&self, folder: &Path) {
        match &self.away {
            Some(text) => put(folder, self.file, text),
            None => fs::remove_file(folder.join(self.file)).unwrap(),
        }
    }

    fn come_back(&self, folder: &Path) {
        put(folder, self.file, self.here);
    }
}

fn put(folder: &Path, name: &str, text: &str) {
    let aside = folder.join("aside");
    fs::write(&aside, text).unwrap();
    fs::set_permissions(&aside, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&aside, folder.join(name)).unwrap();
}

fn live() -> (TempDir, Live) {
    let folder = tempfile::tempdir().unwrap();
    let files = [("barmkin.toml", RULES), ("keys.toml", KEYS), ("new", "the new secret"), ("old", "the old secret")];
    files.iter().for_each(|(name, text)| put(folder.path(), name, text));
    let path = folder.path().join("barmkin.toml");
    let open = |_: &_| Ok((MemoryStore::default().into(), Credentials::default()));
    let live = Live::load(Found::read(&path).unwrap(), open, (Arc::new(NoMetrics), false), Reloads::default()).unwrap();
    (folder, live)
}

/// An undivided step of one of the threads, or of somebody with the files.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Go,
    ComeBack,
    Look,
    Withdraw,
    Read,
    Take,
}

use Step::*;

/// A gate whose threads are led by hand.
struct Led<'l> {
    live: &'l Live,
    folder: &'l Path,
    watch: Watch,
    looked: Option<Looked>,
    read: Option<Read>,
}

impl Led<'_> {
    fn step(&mut self, way: &Way, step: Step) {
        let live = self.live;
        match step {
            Go => way.go(self.folder),
            ComeBack => way.come_back(self.folder),
            Look => self.looked = Some(live.look()),
            // As the thread does that looks again.
            Withdraw => drop(live.withdraw_gone(&self.looked.take().unwrap()).unwrap_or_else(|| live.withdraw())),
            Read => self.read = Some(live.read(&mut self.watch)),
            Take => drop(live.take_or_refuse(self.read.take().unwrap(), &By::FileChange, live.turn())),
        }
    }

    /// Whether what is in force is what is on disk, where the secret is.
    fn has_it(&self, way: &Way) -> bool {
        let is_gone = || !self.live.look().gone.is_empty();
        let before = is_gone();
        way.go(self.folder);
        let notices = is_gone();
        way.come_back(self.folder);
        notices && !before
    }
}

/// All orders of the steps of `threads` that `may_be`.
fn orders(threads: &[&[Step]], may_be: &dyn Fn(&[Step]) -> bool) -> Vec<Vec<Step>> {
    fn add(left: &[&[Step]], before: &mut Vec<Step>, orders: &mut Vec<Vec<Step>>) {
        if left.iter().all(|steps| steps.is_empty()) {
            orders.push(before.clone());
        }
        for (index, steps) in left.iter().enumerate() {
            let Some((first, rest)) = steps.split_first() else { continue };
            let mut left = left.to_vec();
            left[index] = rest;
            before.push(*first);
            add(&left, before, orders);
            before.pop();
        }
    }
    let mut orders = Vec::new();
    add(threads, &mut Vec::new(), &mut orders);
    orders.retain(|order| may_be(order));
    orders
}

/// A change to files is reported: they are read once more after `last`.
fn is_told_of(last: Step) -> impl Fn(&[Step]) -> bool {
    move |order| order.iter().rposition(|step| *step == Read) > order.iter().position(|step| *step == last)
}

#[test]
fn a_secret_that_is_back_serves_whatever_was_done_meanwhile_and_in_which_order() {
    let threads: &[&[Step]] = &[&[Go, ComeBack], &[Look, Withdraw], &[Read, Take, Read, Take]];
    let orders = orders(threads, &is_told_of(ComeBack));
    assert!(orders.len() > 100, "{}", orders.len());
    for way in ways() {
        let (folder, live) = live();
        for order in &orders {
            let mut led = led(&live, folder.path());
            order.iter().for_each(|step| led.step(&way, *step));
            assert!(led.has_it(&way), "{}, and {order:?}", way.name);
            assert!(live.state().refused.is_none());
        }
    }
}

#[test]
fn a_secret_that_stays_away_never_serves_whatever_was_done_meanwhile() {
    let threads: &[&[Step]] = &[&[Go], &[Look, Withdraw], &[Read, Take, Read, Take]];
    let orders = orders(threads, &is_told_of(Go));
    for way in ways() {
        let (folder, live) = live();
        for order in &orders {
            let mut led = led(&live, folder.path());
            order.iter().for_each(|step| led.step(&way, *step));
            assert!(live.look().gone.is_empty(), "{}, and {order:?}", way.name);
            [ComeBack, Read, Take].into_iter().for_each(|step| led.step(&way, step));
            assert!(led.has_it(&way), "{}, and it comes back after {order:?}", way.name);
        }
    }
}

#[test]
fn it_comes_back_by_whatever_has_it_loaded() {
    let [way, ..] = ways();
    for by in [By::FileChange, By::Signal] {
        let (folder, live) = live();
        let mut led = led(&live, folder.path());
        [Go, Look, Withdraw, ComeBack].into_iter().for_each(|step| led.step(&way, step));
        let load = |watch: &mut Watch| live.reload(&by, live.turn(), watch);
        let answered = load(&mut led.watch);
        assert_eq!((answered.outcome, &answered.body["outcome"]), (Outcome::Done, &"loaded".into()));
        assert!(led.has_it(&way));
        assert_eq!(load(&mut led.watch).body["outcome"], "unchanged");
    }
}

#[test]
fn it_comes_back_to_what_was_rolled_back_to() {
    let [way, ..] = ways();
    let (folder, live) = live();
    let mut led = led(&live, folder.path());
    put(folder.path(), "barmkin.toml", &RULES.replace("open", "another"));
    [Read, Take, Go, Look, Withdraw].into_iter().for_each(|step| led.step(&way, step));
    live.roll_back(None, &By::Signal, live.turn());
    [ComeBack, Read, Take].into_iter().for_each(|step| led.step(&way, step));
    assert!(led.has_it(&way));
    let status = live.view().get();
    assert_eq!((&status["generation"]["number"], &status["keys"]["github"][1]), (&1.into(), &"old".into()));
}

fn led<'l>(live: &'l Live, folder: &'l Path) -> Led<'l> {
    Led { live, folder, watch: Watch::start(|| ()), looked: None, read: None }
}

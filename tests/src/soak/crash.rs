//! The embedded store: kill -9 at random moments under load, then random damage.

use super::senders::{self, Random, Reached, Sending, Sent, deliver, reason};
use super::{Scenario, Verdict, claims};
use crate::harness::{Barmkin, ListenerKind, Request, Upstream};
use anyhow::{Context, Result, bail, ensure};
use barmkin_host::{Claim, LocalStore, MemoryLimits, NonceId};
use barmkin_store_embedded::{Durability, EmbeddedStore, OpenError, Settings};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Kills and damages of a whole run, and of a short one.
const KILLS: [u64; 2] = [50, 8];
const DAMAGES: [u64; 2] = [200, 60];

/// Concurrent senders: as many requests can be in flight when the gate dies.
const SENDERS: usize = 8;

/// Requests a day on the route that is counted: fewer than are sent.
const COUNTED: [u64; 2] = [1_000, 150];

/// Chosen once; the same moments and bits each time.
const SEED: u64 = 0x5EED_CAFE_F00D;

pub(super) fn run(short: bool) -> Result<Verdict> {
    let pick = usize::from(short);
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let mut verdict = Verdict::of(Scenario::Crash);
    let mut random = Random(SEED);
    let (accepted, unknown) = kills(&store, pick, &mut random, &mut verdict)?;
    verdict.note("unknown_after_a_kill", unknown);
    damages(folder.path(), &accepted, DAMAGES[pick], &mut random, &mut verdict)?;
    accept_loss(&store, &accepted, &mut verdict)?;
    claims::measure(folder.path(), short, &mut verdict)?;
    Ok(verdict)
}

fn serve(store: &Path, counted: u64, upstream: SocketAddr, arguments: &[&str]) -> Barmkin {
    let section = format!("kind = \"embedded\"\npath = \"{}\"", store.display());
    let listeners = [("edge", ListenerKind::ReverseProxy(upstream))];
    Barmkin::serve_with(&senders::rules(&section, counted), &senders::SECRETS, &listeners, arguments)
}

/// Kills the gate again and again. Gives what was let in, and how much of what
/// was sent nobody knows.
fn kills(store: &Path, pick: usize, random: &mut Random, verdict: &mut Verdict) -> Result<(Vec<u64>, usize)> {
    let upstream = Upstream::start();
    let mut reached = Reached::default();
    let mut sent = Sent::default();
    let sending = Sending::default();
    let mut checked = 0;
    for _ in 0..KILLS[pick] {
        let mut gate = serve(store, COUNTED[pick], upstream.address(), &[]);
        let address = gate.address("edge");
        // A delivery that was let in before stays used.
        for _ in 0..20_usize.min(sent.accepted.len()) {
            let back = random.below(sent.accepted.len().min(200) as u64);
            let delivery = sent.accepted[sent.accepted.len() - 1 - usize::try_from(back)?];
            let response = deliver(address, delivery)?;
            ensure!(reason(&response) == "replayed", "delivery {delivery}: {} {}", response.status, reason(&response));
            checked += 1;
        }
        let round = std::thread::scope(|scope| {
            let senders = sending.start(scope, SENDERS, address);
            // The moment is what is random here, not what is waited for.
            std::thread::sleep(Duration::from_millis(100 + random.below(900)));
            gate.kill();
            senders::join(senders)
        })?;
        sent = sent.and(round);
        reached.add(&upstream);
    }
    let gate = serve(store, COUNTED[pick], upstream.address(), &[]);
    // All of them once more, and the route that is counted until it is used up.
    for delivery in sent.accepted.iter().chain(&sent.unknown) {
        deliver(gate.address("edge"), *delivery)?;
    }
    for _ in 0..2 * COUNTED[pick] {
        Request::new("GET", "/counted", "gate.test").send(gate.address("edge"))?;
    }
    reached.add(&upstream);
    verdict.note("kills", KILLS[pick]);
    verdict.note("requests", sent.requests);
    verdict.require("refused", sent.refused, sent.refused == 0, "a new delivery is let in, or nobody knows");
    verdict.require("accepted", sent.accepted.len(), sent.accepted.len() > 100, "there must be something to lose");
    verdict.note("replays_tried_after_a_kill", checked + sent.accepted.len());
    verdict.require("accepted_twice", reached.repeated(), reached.repeated() == 0, "each delivery is let in once");
    let lost = sent.accepted.iter().filter(|delivery| !reached.deliveries.contains_key(delivery)).count();
    verdict.require("accepted_and_not_forwarded", lost, lost == 0, "what was let in arrived");
    let bound = COUNTED[pick] + KILLS[pick] * SENDERS as u64;
    verdict.note("quota", COUNTED[pick]);
    let what = format!("at most {bound}: the quota, and what was in flight");
    verdict.require("quota_admitted", reached.counted, reached.counted <= bound, &what);
    Ok((sent.accepted, sent.unknown.len()))
}

/// Damages copies of the store, each in one place: all that was acknowledged is
/// there, or it refuses to start.
fn damages(folder: &Path, accepted: &[u64], damages: u64, random: &mut Random, verdict: &mut Verdict) -> Result<()> {
    let (mut kept, mut refused, mut forgot) = (0, 0, 0);
    for _ in 0..damages {
        let copy = copy_store(&folder.join("store"), folder)?;
        let files: Vec<PathBuf> =
            copy.read_dir()?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        let files: Vec<_> = files.into_iter().filter(|file| file.metadata().is_ok_and(|file| file.len() > 0)).collect();
        let file = &files[usize::try_from(random.below(files.len() as u64))?];
        let mut bytes = std::fs::read(file)?;
        let at = usize::try_from(random.below(bytes.len() as u64))?;
        if random.below(2) == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << random.below(8);
        }
        std::fs::write(file, bytes)?;
        match EmbeddedStore::open(&settings(&copy)) {
            Ok(store) => {
                kept += 1;
                let retain = Duration::from_secs(1);
                forgot +=
                    accepted.iter().filter(|id| store.claim(&nonce(**id), retain, None) != Ok(Claim::Replayed)).count();
            }
            Err(OpenError::Damaged { .. }) => refused += 1,
            Err(error) => bail!("{}: {error}", file.display()),
        }
    }
    verdict.note("damaged", damages);
    verdict.note("damaged_and_all_there", kept);
    verdict.require("damaged_and_refused", refused, refused > 0, "some damage is in what was acknowledged");
    verdict.require("forgotten_after_damage", forgot, forgot == 0, "a store that opens has forgotten nothing");
    Ok(())
}

/// A store with a loss refuses to serve, and when the loss is accepted, lets in
/// nothing that may have been used.
fn accept_loss(store: &Path, accepted: &[u64], verdict: &mut Verdict) -> Result<()> {
    let copy = copy_store(store, store.parent().context("it is in a folder")?)?;
    let logs: Vec<_> = copy.read_dir()?.flatten().map(|entry| entry.path()).collect();
    let log = logs
        .iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "log"))
        .max_by_key(|path| path.metadata().map_or(0, |file| file.len()));
    let log = log.context("it has a log")?;
    let bytes = std::fs::read(log)?;
    std::fs::write(log, &bytes[..bytes.len() / 2])?;
    ensure!(matches!(EmbeddedStore::open(&settings(&copy)), Err(OpenError::Damaged { .. })), "half a log is damage");
    let upstream = Upstream::start();
    let gate = serve(&copy, 1_000, upstream.address(), &["--accept-loss"]);
    let address = gate.address("edge");
    let tried = accepted.iter().rev().take(200);
    let mut let_in = 0;
    for delivery in tried {
        let_in += usize::from(deliver(address, *delivery)?.status == 200);
    }
    verdict.require("let_in_after_a_loss", let_in, let_in == 0, "what bears no date may have been used");
    let now = SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
    let before = dated(address, now - 60)?;
    verdict.require("dated_before_the_loss", before.as_str(), before == "signed-before-loss", "it may have been used");
    // A delivery that is signed ahead of the clock may have been used before. (A
    // test with a clock of its own shows that one signed even later is let in.)
    let ahead = dated(address, now + 120)?;
    verdict.require("dated_ahead_of_the_loss", ahead.as_str(), ahead == "signed-before-loss", "it may have been used");
    Ok(())
}

/// The reason why a delivery signed at `time` is refused, if it is.
fn dated(address: SocketAddr, time: u64) -> Result<String> {
    let body = format!("{{\"dated\":{time}}}");
    let mut mac = Hmac::<Sha256>::new_from_slice(senders::SECRET.as_bytes())?;
    mac.update(format!("{time}.{body}").as_bytes());
    let signature = format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()));
    let request = Request::new("POST", "/dated", "gate.test").with("stripe-signature", signature).with_body(body);
    let response = request.send(address)?;
    Ok(if response.status == 200 { String::new() } else { reason(&response).to_owned() })
}

/// The identity of a delivery, as the gate has it: the key and the sender, both of
/// which are called `github`, behind the lengths of key, tenant, sender and id; then
/// the digest of the one part that was signed, and its length.
fn nonce(delivery: u64) -> NonceId {
    let body = senders::body(delivery);
    let signed = Sha256::new().chain_update(b"signature\0").chain_update(&body).finalize();
    let name = b"github";
    let (length, none) = (6_u32.to_be_bytes(), u32::MAX.to_be_bytes());
    let mut digest = Sha256::new().chain_update(b"d2s\0").chain_update([length, none, length, none].as_flattened());
    digest.update(name);
    digest.update(name);
    digest.update(signed);
    digest.update(1_u64.to_be_bytes());
    let mut lengths = [[0; 8]; 8];
    lengths[0] = (body.len() as u64).to_be_bytes();
    digest.update(lengths.as_flattened());
    NonceId { space: "deliveries".into(), digest: digest.finalize().into(), former: None }
}

fn settings(folder: &Path) -> Settings {
    let durability = Durability::Process;
    Settings { folder: folder.to_owned(), limits: MemoryLimits::default(), durability, accept_loss: false }
}

fn copy_store(store: &Path, folder: &Path) -> Result<PathBuf> {
    let copy = folder.join("copy");
    if copy.exists() {
        std::fs::remove_dir_all(&copy)?;
    }
    std::fs::create_dir(&copy)?;
    for entry in store.read_dir()? {
        let entry = entry?;
        std::fs::copy(entry.path(), copy.join(entry.file_name()))?;
    }
    Ok(copy)
}

//! A policy that never ends, where the engine's handle was dropped: as an
//! embedder does who keeps the gate alone, and as `eval` and `test` do.

use barmkin_host::*;
use barmkin_tests::harness::Barmkin;
use barmkin_tests::hostile::{program, spec};
use barmkin_tower::{BarmkinLayer, GuardedBody, Options};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use std::convert::Infallible;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tower::{Layer, ServiceExt, service_fn};

/// Longer than any of it takes on a busy machine.
const WAIT: Duration = Duration::from_secs(60);

/// As the examples make it: all that is left is the gate.
fn gate() -> Arc<Gate> {
    let engine = Engine::new(&EngineSettings::default()).unwrap();
    let services = Services::new(MemoryStore::default());
    let spec = spec(program("spins_in_check"), 100);
    Arc::new(Gate::new(Generation::build(&engine, &spec, &KeyRing::default(), services).unwrap()))
}

/// More requests than there are threads hold none of them.
#[test]
fn a_server_whose_engine_was_dropped_goes_on() {
    let (send, answers) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async move {
            let upstream = service_fn(async |_: Request<GuardedBody<Full<Bytes>>>| {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            });
            let guarded = BarmkinLayer::new(gate(), Options::default()).layer(upstream);
            let ask = |path| {
                let request = Request::get(path).header("host", "app").header("x-hostile", "now");
                tokio::spawn(guarded.clone().oneshot(request.body(Full::<Bytes>::default()).unwrap()))
            };
            let asked: Vec<_> = ["/hostile"; 4].into_iter().chain(["/good"]).map(ask).collect();
            for asked in asked {
                send.send(asked.await.unwrap().unwrap().status().as_u16()).unwrap();
            }
        });
    });
    let answers: Vec<_> = (0..5).map(|_| answers.recv_timeout(WAIT).expect("each is answered")).collect();
    assert_eq!(answers, [503, 503, 503, 503, 200]);
}

/// Commands that decide end, with the reason.
#[test]
fn eval_and_test_end() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("spins.wasm");
    std::fs::write(component, program("spins_in_check").component).unwrap();
    let rules = "version = 1\n[policies.spins]\ncomponent = \"file:spins.wasm\"\n\
        settings = { program = \"spins_in_check\" }\ngrants.quotas = { quota = [\"units\"] }\n\
        [quotas.units]\nrate = \"5/s\"\nkey = \"route\"\n\
        [[routes]]\nname = \"r\"\npublic = true\nchain = [\"spins\"]\n";
    Barmkin::write_configuration(folder.path(), rules, &[]);
    let cases = "configuration = \"barmkin.toml\"\n[[cases]]\nname = \"it spins\"\n\
        request = { target = \"/\", headers = { x-hostile = \"now\" } }\n\
        expect = { verdict = \"deny\", reason = \"deadline-exceeded\" }\n";
    std::fs::write(folder.path().join("cases.toml"), cases).unwrap();
    let evaluated = ended(folder.path(), &["eval", "--path=/", "--header=x-hostile: now"]);
    assert!(evaluated.contains("deadline-exceeded"), "{evaluated}");
    let tested = ended(folder.path(), &["test"]);
    assert!(tested.contains("1 passed, 0 failed"), "{tested}");
}

/// The output of a command, which must end in time.
fn ended(folder: &Path, arguments: &[&str]) -> String {
    // `timeout` is of coreutils: a command that hangs must not hang the test.
    let mut command = Command::new("timeout");
    command.arg(WAIT.as_secs().to_string()).arg(Barmkin::program()).current_dir(folder).args(arguments);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_ne!(output.status.code(), Some(124), "it hangs: {arguments:?}\n{text}");
    text
}

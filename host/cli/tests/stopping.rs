//! How a gate starts and stops, in a container, by a supervisor and at a terminal.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::serving::Serving;
use support::webhooks::{NEW, RULES, Webhooks, with_rules};
use support::{barmkin, run};
use tempfile::TempDir;

/// [`RULES`] with that much drain, and with `more` sections.
fn rules(drain: &str, more: &str) -> TempDir {
    let folder = with_rules();
    let rules = RULES.replace("drain = \"0s\"", &format!("drain = \"{drain}\""));
    std::fs::write(folder.path().join("barmkin.toml"), format!("{rules}\n{more}")).unwrap();
    folder
}

fn start(drain: &str) -> Webhooks {
    Webhooks::start_in(rules(drain, ""), "info")
}

const HEALTH: &str = "[health]\naddress = \"127.0.0.1:0\"\n";

/// The status of an answer of the health listener.
fn health(address: &str, target: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET {target} HTTP/1.1\r\nhost: gate.example\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

/// A store that says nothing, so that a gate is stuck before it has begun.
fn stuck(more: &str) -> (TempDir, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let store =
        format!("[store]\nkind = \"redis\"\nurl = \"redis://{}\"\ntimeout = \"10s\"\n", silent.local_addr().unwrap());
    (rules("0s", &format!("{store}{more}")), silent)
}

/// The sockets that were left in a folder.
fn sockets(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".sock")).collect()
}

#[test]
fn it_is_not_ready_while_it_still_serves_and_then_it_is_gone() {
    let mut gate = start("2s");
    let socket = gate.folder.path().join("admin.sock");
    assert_eq!(gate.status()["ready"], true);
    gate.serving.signal("TERM");
    gate.serving.wait_for("stopping: it is not ready any more");
    assert_eq!(gate.status()["ready"], false);
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None, "it goes on");
    gate.serving.wait_for("stopping: what is under way may end");
    gate.serving.wait_for("stopped");
    assert_eq!(gate.serving.process.wait().unwrap().code(), Some(0));
    assert!(!socket.exists(), "the socket goes with the gate");
}

#[test]
fn anybody_may_see_how_it_is_until_it_has_stopped() {
    let folder = rules("60s", HEALTH);
    let mut serving = Serving::start(&folder);
    let address = serving.wait_for("health listening")["address"].as_str().unwrap().to_owned();
    serving.wait_for("admin listening");
    for (target, status) in
        [("/healthz", "200"), ("/metrics", "200"), ("/status", "404"), ("/reload", "404"), ("/nonces", "404")]
    {
        assert_eq!(health(&address, target), status, "{target}");
    }
    // It listens before it says that it is ready.
    while health(&address, "/readyz") != "200" {}
    serving.signal("TERM");
    serving.wait_for("stopping: it is not ready any more");
    assert_eq!((health(&address, "/healthz"), health(&address, "/readyz")), ("200".to_owned(), "503".to_owned()));
    serving.signal("TERM");
    serving.wait_for("stopped");
    assert_eq!(serving.process.wait().unwrap().code(), Some(0));
}

#[test]
fn anybody_may_see_that_it_lives_before_it_is_ready_and_nobody_else_is_answered() {
    let (folder, _silent) = stuck(HEALTH);
    let mut serving = Serving::start(&folder);
    let address = serving.wait_for("health listening")["address"].as_str().unwrap().to_owned();
    assert_eq!((health(&address, "/healthz"), health(&address, "/readyz")), ("200".to_owned(), "503".to_owned()));
    assert!(UnixStream::connect(folder.path().join("admin.sock")).is_err());

    // PID 1 of a container would not even be ended by a signal that it does not heed.
    let began = Instant::now();
    serving.signal("TERM");
    serving.wait_for("stopped: it was told to before it had begun");
    assert_eq!(serving.process.wait().unwrap().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(sockets(folder.path()), Vec::<String>::new());
}

#[test]
fn a_port_that_is_taken_is_found_before_anything_is_built() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    // Were the store opened first, it would take ten seconds.
    let listener = format!(
        "[listen.zone]\nkind = \"reverse-proxy\"\naddress = \"{address}\"\nupstream = \"http://127.0.0.1:1\"\n\
         [listen.authz]\nkind = \"ext-authz\"\naddress = \"unix:authz.sock\"\n"
    );
    let (folder, _silent) = stuck(&listener);
    let began = Instant::now();
    let refused = run(folder.path(), &["serve"]);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains(&format!("listener `zone`: cannot listen at {address}: ")), "{}", refused.err);
    assert!(!refused.err.contains("loaded"), "{}", refused.err);
    assert_eq!(sockets(folder.path()), Vec::<String>::new(), "a start that fails leaves no socket");
}

#[test]
fn anothers_socket_stays() {
    let gate = start("0s");
    let refused = run(gate.folder.path(), &["serve"]);
    assert_eq!(refused.code, Some(2));
    let socket = gate.folder.path().join("admin.sock");
    assert!(refused.err.contains("the admin listener: cannot listen at unix:"), "{}", refused.err);
    assert_eq!(gate.status()["ready"], true, "{}", socket.display());
    assert_eq!(sockets(gate.folder.path()), ["admin.sock"]);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for second in ["TERM", "INT"] {
        let mut gate = start("60s");
        gate.serving.signal("TERM");
        gate.serving.wait_for("stopping: it is not ready any more");
        let began = Instant::now();
        gate.serving.signal(second);
        assert_eq!(gate.serving.process.wait().unwrap().code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(10), "{second}: {:?}", began.elapsed());
        assert_eq!(sockets(gate.folder.path()), Vec::<String>::new());
    }
}

#[test]
fn a_supervisor_hears_that_it_is_ready_and_that_it_stops() {
    let folder = with_rules();
    let at = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&at).unwrap();
    supervisor.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let heard = || {
        let mut message = [0; 64];
        let length = supervisor.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    let mut command = barmkin(folder.path(), &["serve"]);
    let mut process = command.env("NOTIFY_SOCKET", &at).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(heard(), "READY=1");
    assert!(UnixStream::connect(folder.path().join("admin.sock")).is_ok(), "it listens by then");
    support::serving::signal(&process, "TERM");
    assert_eq!(heard(), "STOPPING=1");
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_cache_that_cannot_be_used_costs_time_and_not_the_start() {
    let folder = rules("0s", "[cache]\npath = \"a-file\"\n");
    std::fs::write(folder.path().join("a-file"), "no folder").unwrap();
    let gate = Webhooks::start_in(folder, "info");
    assert_eq!(gate.deliver("/hooks", NEW, "1"), None);
    assert!(gate.serving.stop().contains("the cache of compiled policies is not used"));
}

/// A folder of the system's in which nobody can make a file, and a disk without room.
#[test]
fn a_cache_that_cannot_be_written_costs_time_and_not_the_start() {
    let not_writable = rules("0s", "[cache]\npath = \"/proc/sys/kernel\"\n");
    let full = rules("0s", "[cache]\npath = \"cache\"\n");
    // As where a disk is full: a file may be made, and not all be written to it.
    let mut without_room = Command::new("sh");
    without_room.args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_barmkin")]);
    without_room.args(["serve", "--log-format", "json"]).current_dir(full.path());
    let cases = [
        (not_writable.path(), Serving::start(&not_writable)),
        (full.path(), Serving::start_command(without_room, "info")),
    ];
    for (folder, mut serving) in cases {
        serving.wait_for("a compiled policy could not be cached");
        serving.wait_for("admin listening");
        assert!(UnixStream::connect(folder.join("admin.sock")).is_ok());
        drop(serving.stop());
    }
    let left = std::fs::read_dir(full.path().join("cache")).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(left.filter(|path| path.extension().is_some_and(|end| end == "unfinished")).count(), 0);
}

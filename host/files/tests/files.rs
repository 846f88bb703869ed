//! Files that can be read, and files that are refused at once.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use barmkin_files::{NotRegular, read, read_text};
use rustix::fs::{CWD, Mode, mkfifoat};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

/// The error of reading `path`, which must not take long to come.
fn refusal(path: &Path) -> std::io::Error {
    let (sender, refused) = channel();
    let path = path.to_owned();
    std::thread::spawn(move || sender.send(read(&path, 10).unwrap_err()));
    refused.recv_timeout(Duration::from_secs(10)).unwrap()
}

#[test]
fn a_regular_file_is_read_up_to_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "0123456789").unwrap();
    symlink(&path, folder.path().join("link")).unwrap();
    assert_eq!(read(&path, 10).unwrap(), b"0123456789");
    assert_eq!(read_text(&folder.path().join("link"), 10).unwrap(), "0123456789");
    assert_eq!(read(&path, 9).unwrap_err().to_string(), "it has more than 9 bytes");
    std::fs::write(&path, [0xff]).unwrap();
    assert_eq!(read_text(&path, 9).unwrap_err().to_string(), "it is not UTF-8");
    assert_eq!(read(&folder.path().join("absent"), 9).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn whatever_is_not_a_file_is_refused_at_once_and_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let link = folder.path().join("link");
    symlink(&fifo, &link).unwrap();
    for (path, name) in [
        (&*fifo, "a FIFO"),
        (&*link, "a FIFO"),
        (&*socket, "a socket"),
        (folder.path(), "a folder"),
        (Path::new("/dev/zero"), "a device"),
    ] {
        let error = refusal(path);
        assert_eq!(error.to_string(), format!("it is {name}, not a regular file"));
        assert!(NotRegular::is(&error));
    }
    assert!(!NotRegular::is(&refusal(&folder.path().join("absent"))));
}

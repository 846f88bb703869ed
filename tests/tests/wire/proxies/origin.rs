//! The server behind a proxy, which believes what it reads byte for byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The key of a websocket handshake (RFC 6455, section 1.3), and its answer,
/// without which HAProxy takes no 101.
pub(super) const WEBSOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const WEBSOCKET_ACCEPT: &str = "s3pPLBMiTxaQ9kYGzzhZRbK+xOo=";

/// Something that came through.
#[derive(Clone, Debug)]
pub(super) enum Arrived {
    /// A request: its first line, and its fields with names in lower case.
    Request { line: String, fields: Vec<(String, String)> },
    /// Bytes of a tunnel.
    Tunnelled(Vec<u8>),
}

/// It answers every request with 200 and `x-upstream`, agrees to every change
/// of protocol, and sends back what comes through a tunnel.
pub(super) struct Origin {
    address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Origin {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let arrived = Arc::<Mutex<Vec<Arrived>>>::default();
        let log = arrived.clone();
        // It ends with the process: nothing has to be cleaned up.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = log.clone();
                // A connection that breaks off is the proxy's to notice.
                std::thread::spawn(move || drop(serve(stream, &log)));
            }
        });
        Self { address, arrived }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything since the last call.
    pub(super) fn take(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.arrived.lock().unwrap())
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Arrived>>) -> std::io::Result<()> {
    let mut input = BufReader::new(stream.try_clone()?);
    let mut output = stream;
    while let Some((line, fields)) = head(&mut input)? {
        let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
        let (length, chunked, upgrade) = (field("content-length"), field("transfer-encoding"), field("upgrade"));
        log.lock().unwrap().push(Arrived::Request { line, fields });
        if let Some(protocol) = upgrade {
            write!(
                output,
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: {protocol}\r\n\
                 sec-websocket-accept: {WEBSOCKET_ACCEPT}\r\n\r\n"
            )?;
            return tunnel(&mut input, &mut output, log);
        }
        if chunked.is_some() {
            skip_chunks(&mut input)?;
        } else if let Some(length) = length.and_then(|length| length.parse().ok()) {
            std::io::copy(&mut input.by_ref().take(length), &mut std::io::sink())?;
        }
        output.write_all(b"HTTP/1.1 200 OK\r\nx-upstream: reached\r\ncontent-length: 2\r\n\r\nok")?;
    }
    Ok(())
}

type Head = (String, Vec<(String, String)>);

fn head(input: &mut impl BufRead) -> std::io::Result<Option<Head>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        match (line.is_empty(), lines.is_empty()) {
            (true, true) => {}
            (true, false) => break,
            (false, _) => lines.push(line),
        }
    }
    let fields = lines.split_off(1).into_iter().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Ok(Some((lines.remove(0), fields.collect())))
}

fn skip_chunks(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let size = line.split(';').next().and_then(|size| u64::from_str_radix(size.trim(), 16).ok());
        match size {
            Some(0) | None => {
                // Trailers, up to an empty line.
                while input.read_line(&mut line)? > 2 {
                    line.clear();
                }
                return Ok(());
            }
            Some(size) => drop(std::io::copy(&mut input.by_ref().take(size + 2), &mut std::io::sink())?),
        }
    }
}

fn tunnel(input: &mut impl Read, output: &mut impl Write, log: &Mutex<Vec<Arrived>>) -> std::io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let read = input.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        log.lock().unwrap().push(Arrived::Tunnelled(buffer[..read].to_vec()));
        output.write_all(&buffer[..read])?;
    }
}

//! Scripted instances: a thread per connection, each request handed to a function that writes what it likes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A request as it arrived: its head, byte for byte.
pub struct Arrived {
    pub head: String,
    pub stream: BufReader<TcpStream>,
    /// How many requests this connection had before.
    pub nth: usize,
}

impl Arrived {
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The whole body.
    pub fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        if let Some(length) = self.field("content-length") {
            let length = length.parse().unwrap();
            (&mut self.stream).take(length).read_to_end(&mut body).unwrap();
        } else if self.field("transfer-encoding").is_some() {
            loop {
                let mut line = String::new();
                if self.stream.read_line(&mut line).unwrap_or(0) == 0 {
                    break;
                }
                let size = u64::from_str_radix(line.trim(), 16).unwrap();
                (&mut self.stream).take(size + 2).read_to_end(&mut body).unwrap();
                body.truncate(body.len() - 2);
                if size == 0 {
                    break;
                }
            }
        }
        body
    }

    pub fn write(&mut self, text: impl AsRef<[u8]>) {
        let _gone = self.stream.get_mut().write_all(text.as_ref());
    }

    /// Answers 200 with the given body.
    pub fn reply(&mut self, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        self.write(
            [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat(),
        );
    }
}

/// Whether the connection goes on.
pub type Goes = bool;

/// Starts an instance; checks of `/up` are answered by it, everything else by the function.
pub fn instance(answer: impl Fn(&mut Arrived) -> Goes + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, answer);
    address
}

/// Starts an instance on a socket that is there already.
pub fn serve(listener: TcpListener, answer: impl Fn(&mut Arrived) -> Goes + Send + Sync + 'static) {
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), answer) = (stream, Arc::clone(&answer)) else { return };
            stream.set_nodelay(true).unwrap();
            std::thread::spawn(move || connection(BufReader::new(stream), &*answer));
        }
    });
}

fn connection(mut stream: BufReader<TcpStream>, answer: &dyn Fn(&mut Arrived) -> Goes) {
    for nth in 0.. {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match stream.read_line(&mut head) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let mut arrived = Arrived { head, stream, nth };
        let goes = match arrived.path() {
            "/up" => {
                arrived.reply("up");
                true
            }
            _ => answer(&mut arrived),
        };
        if !goes {
            return;
        }
        stream = arrived.stream;
    }
}

/// Answers everything with its own name, after it took the body.
pub fn named(name: &'static str) -> SocketAddr {
    instance(move |arrived| {
        arrived.body();
        arrived.reply(name);
        true
    })
}

/// A gate at which an instance waits until the test lets it go on; and it tells that it is there.
pub struct Gate {
    arrived: Receiver<()>,
    go: Sender<()>,
}

/// The instance's side of a gate.
pub struct Wait {
    arrived: Sender<()>,
    go: Mutex<Receiver<()>>,
}

pub fn gate() -> (Gate, Wait) {
    let ((arrived, told), (go, wait)) = (channel(), channel());
    (Gate { arrived: told, go }, Wait { arrived, go: Mutex::new(wait) })
}

impl Gate {
    pub fn reached(&self) {
        self.arrived.recv_timeout(super::proxy::PATIENCE).unwrap();
    }

    pub fn open(&self) {
        self.go.send(()).unwrap();
    }
}

impl Wait {
    pub fn wait(&self) {
        self.arrived.send(()).unwrap();
        let _test_over = self.go.lock().unwrap().recv();
    }
}

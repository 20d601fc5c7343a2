//! `tandem-backend`: the fixed answers behind a proxy that is measured. As cheap as it can be made simply: one thread,
//! answers made in advance, one write for all requests of a read.
//!
//! Prints its addresses, one a line, and ends when its standard input does. Paths that begin with `/b` get 10 KB,
//! all others 100 bytes.
#![allow(clippy::print_stdout, reason = "its addresses are its output")]

use std::io::Read;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How many addresses it serves on, as if it were so many instances.
const ADDRESSES: usize = 4;

struct Answers {
    small: Vec<u8>,
    large: Vec<u8>,
}

fn answer(length: usize) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n")
            .into_bytes();
    bytes.resize(bytes.len() + length, b'x');
    bytes
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let answers = Arc::new(Answers { small: answer(100), large: answer(10 * 1024) });
    for _ in 0..ADDRESSES {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answers)));
            }
        });
    }
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    ended.await.map_or(Ok(()), |read| read.map(|_| ()))
}

async fn serve(mut stream: TcpStream, answers: Arc<Answers>) {
    let _ = stream.set_nodelay(true);
    let mut asked = Vec::with_capacity(16 * 1024);
    let mut reply = Vec::new();
    while matches!(stream.read_buf(&mut asked).await, Ok(count) if count > 0) {
        while let Some(end) = asked.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let large = asked.starts_with(b"GET /b");
            reply.extend_from_slice(if large { &answers.large } else { &answers.small });
            asked.drain(..end + 4);
        }
        if stream.write_all(&reply).await.is_err() || asked.len() > 64 * 1024 {
            return;
        }
        reply.clear();
    }
}

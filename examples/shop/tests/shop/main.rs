//! The real shop, started as a process: its releases, its journal, its end, its faults.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tandem_load::{Journal, Load, Mix, Plan};

const PATIENCE: Duration = Duration::from_secs(20);

struct Shop {
    child: Child,
    port: u16,
    data: tempfile::TempDir,
}

/// A port below those that the system hands out to outgoing connections (one of theirs could take it before the shop does), and
/// below those of the servers of other tests.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(64).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + (number % 6_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Shop {
    fn start(release: &str, fault: Option<&str>) -> Shop {
        let data = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("releases").join(release);
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
        command.current_dir(folder).env("PORT", port.to_string()).env("SHOP_DATA", data.path());
        command.env_remove("TANDEM_VERSION").env("SHOP_FAULT", fault.unwrap_or(""));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Shop { child: command.spawn().expect("the shop starts"), port, data }
    }

    /// A shop that listens.
    fn open(release: &str, fault: Option<&str>) -> Shop {
        let shop = Shop::start(release, fault);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", shop.port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the shop does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        shop
    }

    /// Sends a request and gives the whole answer.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream
            .write_all(format!("{request}\r\nHost: shop\r\nConnection: close\r\n\r\n").as_bytes())
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    fn end(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    }

    fn journal(&self) -> PathBuf {
        self.data.path().join("orders.jsonl")
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn releases_differ_visibly() {
    let pages: Vec<String> =
        ["v1", "v2", "v3"].map(|release| Shop::open(release, None).ask("GET /?q=lamp HTTP/1.1")).to_vec();
    assert!(pages[0].contains("Teapot") && !pages[0].contains("<form>"), "v1 lists all, and has no search");
    assert!(pages[1].contains("Desk lamp") && !pages[1].contains("Teapot"), "v2 searches");
    assert!(
        pages[2].contains("<s>€ 54.00</s>") && pages[2].contains("by Night"),
        "v3 is dark and has discounts"
    );
    for (page, version) in pages.iter().zip(["v1", "v2", "v3"]) {
        assert!(page.contains(&format!("tandem-shop-version: {version}\r\n")));
    }
}

#[test]
fn pages_and_the_cart() {
    let shop = Shop::open("v2", None);
    assert!(shop.ask("GET /product/3 HTTP/1.1").contains("Wool blanket"));
    assert!(shop.ask("GET /product/99 HTTP/1.1").starts_with("HTTP/1.1 404"));
    assert!(
        shop.ask("POST /cart?product=3 HTTP/1.1\r\nCookie: cart=1\r\nContent-Length: 0")
            .contains("cart=1.3;")
    );
    assert!(shop.ask("GET /cart HTTP/1.1\r\nCookie: cart=1.3.x").contains("€ 111.00"));
    assert!(shop.ask("GET /?q=%22%3E%3Cscript%3E HTTP/1.1").contains("&quot;&gt;&lt;script&gt;"));
    assert!(shop.ask("GET /up HTTP/1.1").starts_with("HTTP/1.1 200"));
    assert!(shop.ask("GET /download?bytes=100000 HTTP/1.1").len() > 100_000);
    assert!(shop.ask("GET /slow?ms=5&id=r7 HTTP/1.1").contains("tandem-shop-request: r7\r\n"));
    assert!(shop.ask("GET /ws HTTP/1.1").starts_with("HTTP/1.1 4"), "not an upgrade");
}

#[tokio::test]
async fn under_load_every_order_is_written_once() {
    let shop = Shop::open("v1", None);
    let mut plan = Plan::new(([127, 0, 0, 1], shop.port).into());
    (plan.rate, plan.at_most, plan.mix) = (300.0, 150, Mix { get: 2, fresh: 1, post: 2, upload: 1 });
    plan.upload.every = Duration::from_millis(2);
    let verdict = Load::start(plan).expect("a good plan").finish().await;
    assert!(verdict.is_clean(), "{verdict}");
    let journal = Journal::read(&shop.journal()).expect("a journal").check(&verdict.acknowledged);
    assert!(journal.is_clean() && journal.executed == verdict.acknowledged.len() as u64, "{journal}");
}

#[test]
fn at_its_end_the_shop_finishes_what_it_began_and_ends_its_streams() {
    let mut shop = Shop::open("v1", None);
    let mut events = TcpStream::connect(("127.0.0.1", shop.port)).expect("a connection");
    events.write_all(b"GET /events HTTP/1.1\r\nHost: shop\r\n\r\n").expect("sent");
    let mut first = [0; 1];
    events.read_exact(&mut first).expect("the events begin");
    let mut upload = TcpStream::connect(("127.0.0.1", shop.port)).expect("a connection");
    upload
        .write_all(
            b"POST /upload HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        )
        .expect("sent");
    let mut go_on = [0; 25];
    upload.read_exact(&mut go_on).expect("the upload is wanted");
    shop.end();
    let mut rest = String::new();
    events.read_to_string(&mut rest).expect("the stream ends");
    assert!(rest.ends_with("0\r\n\r\n"), "ended, not cut: {rest:?}");
    upload.write_all(b"hello").expect("sent");
    let mut answer = String::new();
    upload.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("\"bytes\":5"), "{answer}");
    assert!(shop.child.wait().expect("its end").success());
}

#[test]
fn faults_are_as_ordered() {
    assert!(Shop::open("v1", Some("up")).ask("GET /up HTTP/1.1").starts_with("HTTP/1.1 500"));
    assert!(Shop::open("v1", Some("redirect")).ask("GET /up HTTP/1.1").contains("location: /login"));
    for fault in ["start", "nonsense", "exit-after=0"] {
        assert!(!Shop::start("v1", Some(fault)).child.wait().expect("its end").success(), "{fault}");
    }
    let mut silent = Shop::start("v1", Some("bind"));
    let mut said = String::new();
    let mut stdout = silent.child.stdout.take().expect("a pipe");
    silent_until(&mut stdout, &mut said, "never listening");
    assert!(TcpStream::connect(("127.0.0.1", silent.port)).is_err());
}

/// Reads until the text has come.
fn silent_until(from: &mut impl Read, said: &mut String, wanted: &str) {
    let mut piece = [0; 256];
    while !said.contains(wanted) {
        let count = from.read(&mut piece).expect("readable");
        assert!(count > 0, "ended after {said:?}");
        said.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
}

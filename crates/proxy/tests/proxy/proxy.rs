//! A proxy process under test, and a raw client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tandem_core::base::{Generation, InstanceId, Millis, ServiceName};
use tandem_core::spec::HttpProbe;
use tandem_core::traffic::{InstanceReport, Listener, Member, Role, Route, Table, TrafficReport};
use tandem_proxy::control::Client;
use tandem_proxy::handover;
use tandem_proxy::process::{ProcessOptions, run};

/// The longest that anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);
const FOLDER: &str = "TANDEM_TEST_PROXY_FOLDER";

/// The service of most tests.
pub fn shop() -> ServiceName {
    "shop".parse().unwrap()
}

/// Another one, which most tests leave alone.
pub fn blog() -> ServiceName {
    "blog".parse().unwrap()
}

/// Not a test: what the proxy process of a test runs.
#[test]
fn child() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = PathBuf::from(folder);
        let options = ProcessOptions::in_folder(&folder, shop());
        run(ProcessOptions { services: vec![shop(), blog()], ..options }).unwrap();
    }
}

pub struct Proxy {
    pub address: SocketAddr,
    pub folder: tempfile::TempDir,
    pub route: Route,
    pub child: Child,
    pub listeners: Vec<Listener>,
    sockets: Vec<TcpListener>,
    generation: u64,
}

impl Proxy {
    /// A proxy with two threads whose table names the given instances, all serving.
    pub fn start(instances: &[SocketAddr]) -> Proxy {
        Self::start_with(instances, |_| {})
    }

    /// The same with changes to the route.
    pub fn start_with(instances: &[SocketAddr], change: impl Fn(&mut Route)) -> Proxy {
        let first = open("127.0.0.1:0".parse().unwrap());
        let address = first.local_addr().unwrap();
        let sockets = vec![first, open(address)];
        let folder = tempfile::tempdir().unwrap();
        let child = spawn(&folder, address, &sockets);
        let members =
            instances.iter().enumerate().map(|(at, address)| member(at as u64 + 1, *address, Role::Serve));
        let probe = HttpProbe { every: Millis(100), timeout: Millis(1000), ..HttpProbe::default() };
        let mut route = Route { probe, ..Route::new(shop(), members.collect()) };
        change(&mut route);
        let listeners = Vec::new();
        let mut proxy = Proxy { address, folder, route, child, listeners, sockets, generation: 0 };
        proxy.apply();
        proxy
    }

    pub fn control(&self) -> Client {
        Client::connect(&self.folder.path().join("proxy.sock")).unwrap()
    }

    /// Puts the route in force under the next generation.
    pub fn apply(&mut self) {
        self.generation += 1;
        self.control().apply(&shop(), &self.table()).unwrap();
    }

    pub fn table(&self) -> Table {
        Table {
            generation: Generation(self.generation),
            listeners: self.listeners.clone(),
            routes: vec![self.route.clone()],
        }
    }

    pub fn set_role(&mut self, instance: u64, role: Role) {
        self.route
            .members
            .iter_mut()
            .filter(|m| m.instance == InstanceId(instance))
            .for_each(|m| m.role = role);
    }

    /// Waits until the report is as wanted.
    pub fn wait(&self, what: &str, wanted: impl Fn(&TrafficReport) -> bool) -> TrafficReport {
        self.wait_of(&shop(), what, wanted)
    }

    /// The same for another service.
    pub fn wait_of(
        &self,
        service: &ServiceName,
        what: &str,
        wanted: impl Fn(&TrafficReport) -> bool,
    ) -> TrafficReport {
        let (mut control, start, mut seen) = (self.control(), Instant::now(), 0);
        loop {
            let (change, report) = control.watch(service, seen, Duration::from_millis(50)).unwrap();
            if wanted(&report) {
                return report;
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}: {report:#?}");
            seen = change;
        }
    }

    /// Waits until what is known of one instance is as wanted.
    pub fn wait_instance(
        &self,
        id: u64,
        what: &str,
        wanted: impl Fn(&InstanceReport) -> bool,
    ) -> TrafficReport {
        self.wait(what, |report| report.instances.get(&InstanceId(id)).is_some_and(&wanted))
    }

    /// Kills the process and starts another one on the same sockets and the same folder.
    pub fn restart(&mut self) {
        let _gone_already = self.child.kill();
        self.child.wait().unwrap();
        self.child = spawn(&self.folder, self.address, &self.sockets);
    }

    pub fn connect(&self) -> Raw {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Raw { stream: BufReader::new(stream) }
    }

    /// One request on a connection of its own; the whole answer as text.
    pub fn ask(&self, request: &str) -> String {
        let mut raw = self.connect();
        raw.send(request);
        raw.answer().0
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

pub fn member(id: u64, address: SocketAddr, role: Role) -> Member {
    Member { instance: InstanceId(id), version: format!("v{id}").parse().unwrap(), address, role }
}

fn open(address: SocketAddr) -> TcpListener {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(1024).unwrap();
    socket.into()
}

fn spawn(folder: &tempfile::TempDir, address: SocketAddr, sockets: &[TcpListener]) -> Child {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["proxy::child", "--exact", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let list = sockets.iter().map(|s| s.try_clone().unwrap().into()).collect();
    handover::send(&ours, &vec![(address, list)]).unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut ready = String::new();
    BufReader::new(&ours).read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    child
}

/// A client that sends what it is told, byte for byte.
pub struct Raw {
    pub stream: BufReader<TcpStream>,
}

impl Raw {
    pub fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(text.as_ref()).unwrap();
    }

    /// Whether nothing comes within that time.
    pub fn is_silent(&mut self, within: Duration) -> bool {
        let stream = self.stream.get_ref();
        stream.set_read_timeout(Some(within)).unwrap();
        let silent = stream.peek(&mut [0]).is_err();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }

    /// The head of the next answer, its empty line included; empty at the end of the connection.
    pub fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match self.stream.read_line(&mut head) {
                Ok(0) | Err(_) => return head,
                Ok(_) => {}
            }
        }
        head
    }

    /// The next answer: its head and its body, as far as it came.
    pub fn answer(&mut self) -> (String, Vec<u8>) {
        let head = self.head();
        let lower = head.to_lowercase();
        let mut body = Vec::new();
        if let Some((_, rest)) = lower.split_once("content-length: ") {
            let length: u64 = rest.lines().next().unwrap().parse().unwrap();
            (&mut self.stream).take(length).read_to_end(&mut body).unwrap();
        } else if lower.contains("transfer-encoding: chunked") {
            loop {
                let mut line = String::new();
                self.stream.read_line(&mut line).unwrap();
                let Ok(size) = u64::from_str_radix(line.trim(), 16) else { break };
                (&mut self.stream).take(size).read_to_end(&mut body).unwrap();
                let mut end = String::new();
                if size == 0 {
                    break;
                }
                self.stream.read_line(&mut end).unwrap();
            }
        }
        (head, body)
    }

    /// Everything up to the end of the connection; true if it ended in an orderly way.
    pub fn rest(&mut self) -> (Vec<u8>, bool) {
        let mut rest = Vec::new();
        let ended = self.stream.read_to_end(&mut rest).is_ok();
        (rest, ended)
    }
}

pub fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no status in {answer:?}"))
}

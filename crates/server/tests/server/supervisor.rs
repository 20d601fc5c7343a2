//! The supervisor over stand-ins for the proxy and the controller: this test program itself, by way of a script.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tandem_proxy::handover;
use tandem_server::state::{Part, StateFolder};
use tandem_server::supervisor::{SupervisorOptions, run};

use crate::waiting::{LONG, wait_until};

/// What a stand-in is to be, and with which arguments: a word and a state folder.
const STAND_IN: &str = "TANDEM_TEST_STAND_IN";

/// Not a test of its own: the processes of the tests below.
#[test]
fn stand_in() {
    let Ok(what) = std::env::var(STAND_IN) else { return };
    let words: Vec<&str> = what.split(' ').collect();
    match words.as_slice() {
        ["up", config, state, program] => {
            let options = SupervisorOptions {
                config: config.into(),
                state: state.into(),
                program: program.into(),
                place: program.into(),
            };
            match run(options) {
                Ok(_) => std::process::exit(0),
                Err(error) => {
                    println!("failed: {error}");
                    std::process::exit(1);
                }
            }
        }
        [part @ ("proxy" | "controller" | "admin"), "--state", state, ..] => {
            work(part, &StateFolder::at(Path::new(state)));
        }
        other => panic!("unknown stand-in {other:?}"),
    }
}

/// Notes that it is there, says that it is ready, and waits to be told what to do.
fn work(part: &str, state: &StateFolder) {
    let mut line = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    let listeners = (part != "controller").then(|| handover::receive(&line).unwrap());
    let lock = match part {
        "controller" => Some(Part::Controller),
        "admin" => Some(Part::Admin),
        _ => None,
    };
    let _lock = lock.map(|part| state.lock(part).unwrap());
    let sockets = listeners.iter().flatten().map(|(_, sockets)| sockets.len()).sum::<usize>();
    let note = format!("{} {sockets}\n", std::process::id());
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(state.path().join(format!("{part}.notes")))
        .unwrap()
        .write_all(note.as_bytes())
        .unwrap();
    line.write_all(b"ready\n").unwrap();
    let mut told = [0; 64];
    let count = line.read(&mut told).unwrap();
    fs::write(state.path().join(format!("{part}.told")), &told[..count]).unwrap();
    if count == 0 {
        // The supervisor was killed: go on.
        std::thread::sleep(LONG);
    }
    std::process::exit(0);
}

struct Ground {
    temp: tempfile::TempDir,
    address: SocketAddr,
}

impl Ground {
    fn new() -> Ground {
        Ground::with(|_| String::new())
    }

    /// With more in its configuration, which may name a free address.
    fn with(more: impl FnOnce(SocketAddr) -> String) -> Ground {
        let temp = tempfile::tempdir().unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (first, second) = (free(), free());
        let [address, other] = [first, second].map(|listener| listener.local_addr().unwrap());
        let config = format!(
            "service = \"shop\"\n[run]\ncommand = [\"x\"]\nstop = {{ drain = \"1s\", grace = \"1s\" }}\n\
             [[listen]]\naddress = \"{address}\"\n{}",
            more(other)
        );
        fs::write(temp.path().join("tandem.toml"), config).unwrap();
        let exe = std::env::current_exe().unwrap();
        let script = format!(
            "#!/bin/sh\n{STAND_IN}=\"$*\" exec {} --exact supervisor::stand_in --nocapture\n",
            exe.display()
        );
        let program = temp.path().join("tandem");
        fs::write(&program, script).unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
        Ground { temp, address }
    }

    fn state(&self) -> PathBuf {
        self.temp.path().join("state")
    }

    fn up(&self) -> Up {
        let path = |name: &str| self.temp.path().join(name).display().to_string();
        let child = Command::new(self.temp.path().join("tandem"))
            .args(["up", &path("tandem.toml"), &path("state"), &path("tandem")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Up(Some(child))
    }

    /// The processes that were there as `part`, with how many sockets they were given; once there are `count`.
    fn notes(&self, part: &str, count: usize) -> Vec<(i32, usize)> {
        let path = self.state().join(format!("{part}.notes"));
        wait_until(&format!("{count} of {part}"), || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let notes: Vec<(i32, usize)> = text
                .lines()
                .filter_map(|line| line.split_once(' '))
                .map(|(pid, sockets)| (pid.parse().unwrap(), sockets.parse().unwrap()))
                .collect();
            (notes.len() >= count).then_some(notes)
        })
    }
}

/// A running supervisor; ended with the value.
struct Up(Option<Child>);

impl Up {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.0.as_ref().unwrap()), signal).unwrap();
    }

    /// Waits for its end alone: what it started may hold its output open.
    fn wait(mut self) {
        self.0.take().unwrap().wait().unwrap();
    }

    fn output(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// A process that has ended but that nobody has waited for does not live.
fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn what_dies_is_started_again_with_the_same_sockets() {
    let ground = Ground::new();
    let up = ground.up();
    let (proxy, sockets) = ground.notes("proxy", 1)[0];
    let (controller, _) = ground.notes("controller", 1)[0];
    assert!(sockets >= 1);

    kill(proxy);
    let proxies = ground.notes("proxy", 2);
    assert_eq!(proxies[1].1, sockets);
    // Nobody accepts here, but the queue is there at all times.
    TcpStream::connect(ground.address).unwrap();
    kill(controller);
    let controllers = ground.notes("controller", 2);
    assert!(lives(proxies[1].0) && lives(controllers[1].0));

    up.signal(Signal::TERM);
    let output = up.output();
    assert!(output.status.success(), "{output:?}");
    wait_until("the end of both", || (!lives(proxies[1].0) && !lives(controllers[1].0)).then_some(()));
    assert_eq!(fs::read(ground.state().join("controller.told")).unwrap(), b"stop all\n");
    assert!(TcpStream::connect(ground.address).is_err());
}

#[test]
fn the_way_in_from_the_network_is_kept_and_not_left_behind() {
    let mut at = None;
    let ground = Ground::with(|free| {
        at = Some(free);
        format!("[admin]\nlisten = \"{free}\"\nhosts = [\"deploy.example.com\"]\n")
    });
    let (up, at) = (ground.up(), at.unwrap());
    let (first, sockets) = ground.notes("admin", 1)[0];
    assert_eq!(sockets, 1);
    ground.notes("controller", 1);
    kill(first);
    // The queue is there while it is started again.
    TcpStream::connect(at).unwrap();
    let second = ground.notes("admin", 2)[1].0;

    // A killed supervisor leaves it, and the next one takes its place.
    wait_until("its lock", || StateFolder::at(&ground.state()).holder(Part::Admin).map(drop));
    up.signal(Signal::KILL);
    up.wait();
    assert!(lives(second));
    kill(ground.notes("proxy", 1)[0].0);
    wait_until("the end of the proxy", || TcpListener::bind(ground.address).ok().map(drop));
    let up = ground.up();
    let third = ground.notes("admin", 3)[2].0;
    assert!(!lives(second) && lives(third));
    up.signal(Signal::TERM);
    assert!(up.output().status.success());
    assert!(!lives(third) && TcpStream::connect(at).is_err());
}

#[test]
fn a_way_in_that_can_t_be_had_is_told() {
    let mut holder = None;
    let ground = Ground::with(|free| {
        holder = Some(TcpListener::bind(free).unwrap());
        format!("[admin]\nlisten = \"{free}\"\n")
    });
    let at = holder.as_ref().unwrap().local_addr().unwrap();
    let output = ground.up().output();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&format!("can't listen on {at}")), "{said}");
}

#[test]
fn a_second_one_is_refused_and_the_first_goes_on() {
    let ground = Ground::new();
    let up = ground.up();
    let (proxy, _) = ground.notes("proxy", 1)[0];
    ground.notes("controller", 1);
    let second = ground.up().output();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stdout).into_owned();
    assert!(said.contains("runs already (pid "), "{said}");
    assert!(lives(proxy));
    up.signal(Signal::INT);
    assert!(up.output().status.success());
}

#[test]
fn a_port_in_use_is_told() {
    let ground = Ground::new();
    let _holder = TcpListener::bind(ground.address).unwrap();
    let output = ground.up().output();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&format!("can't listen on {}", ground.address)), "{said}");
}

#[test]
fn a_killed_supervisor_leaves_its_parts_and_the_next_one_ends_the_controller() {
    let ground = Ground::new();
    let up = ground.up();
    let (proxy, _) = ground.notes("proxy", 1)[0];
    let (controller, _) = ground.notes("controller", 1)[0];
    wait_until("readiness", || (StateFolder::at(&ground.state()).holder(Part::Controller)).map(drop));
    up.signal(Signal::KILL);
    up.wait();
    assert!(lives(proxy) && lives(controller));
    // The stand-in has no control socket: a proxy that can't be taken over has to go first.
    kill(proxy);
    wait_until("the end of the proxy", || TcpListener::bind(ground.address).ok().map(drop));
    let up = ground.up();
    let controllers = ground.notes("controller", 2);
    assert!(!lives(controller));
    assert!(lives(controllers[1].0));
    up.signal(Signal::TERM);
    assert!(up.output().status.success());
}

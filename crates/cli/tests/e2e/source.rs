//! Deliverables that come by themselves: dropped into a folder, pushed, waiting, overtaken, refused; and kills in between.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tandem_trial::{Daemon, Kind, free_port, kill, until};

use crate::stage::{get, shop_program};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A shop whose deliverables come by themselves.
struct Site {
    daemon: Daemon,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Site {
    /// With more lines in `[source]`.
    async fn open(more: &str) -> Site {
        let folder = tempfile::Builder::new().prefix("tandem-e2e-").tempdir().expect("a folder");
        fs::create_dir(folder.path().join("incoming")).unwrap();
        let (address, program) = (free_port(), shop_program());
        let text = format!(
            "service = \"shop\"\n[run]\ncommand = [{program:?}]\ninstances = 1\nenv = {{ SHOP_DATA = {:?} }}\n\
             ready = {{ within = \"20s\" }}\n[[listen]]\naddress = \"{address}\"\n\
             [deploy]\nstrategy = \"flip\"\nbake = \"0s\"\nflip.warm = \"0s\"\n\
             [source]\nfolder = \"incoming\"\nsettle = \"200ms\"\n{more}\n",
            folder.path().join("data")
        );
        fs::write(folder.path().join("tandem.toml"), text).unwrap();
        let mut daemon = Daemon::new(Path::new(env!("CARGO_BIN_EXE_tandem")), folder.path());
        daemon.up().await.unwrap();
        Site { daemon, address, folder }
    }

    /// An archive outside of the watched folder; with a fault, it misbehaves as the shop knows to.
    fn archive(&self, label: &str, fault: Option<&str>) -> PathBuf {
        let content = self.folder.path().join("content").join(label);
        fs::create_dir_all(&content).unwrap();
        fs::write(content.join("label"), label).unwrap();
        fault.into_iter().for_each(|fault| fs::write(content.join("fault"), fault).unwrap());
        let archive = self.folder.path().join(format!("shop-{label}.tar"));
        let made = Command::new("tar").arg("-C").arg(&content).arg("-cf").arg(&archive).arg(".").status();
        assert!(made.unwrap().success());
        archive
    }

    fn incoming(&self, name: &str) -> PathBuf {
        self.folder.path().join("incoming").join(name)
    }

    /// Puts an archive into the watched folder.
    fn drop_in(&self, label: &str, fault: Option<&str>) {
        fs::rename(self.archive(label, fault), self.incoming(&format!("shop-{label}.tar"))).unwrap();
    }

    async fn queue(&self) -> Value {
        self.daemon.tandem(&["queue", "--json"]).await.json()
    }

    /// What has become of a version in the queue.
    async fn standing(&self, label: &str) -> String {
        let queue = self.queue().await;
        let entries = queue["entries"].as_array().cloned().unwrap_or_default();
        let entry = entries.iter().find(|entry| entry["version"] == label);
        entry.map_or("unknown".to_owned(), |entry| entry["standing"]["standing"].as_str().unwrap().to_owned())
    }

    async fn await_standing(&self, label: &str, standing: &str) {
        let there = until(LONG, async || (self.standing(label).await == standing).then_some(()));
        if there.await.is_none() {
            let said = self.daemon.tandem(&["queue"]).await.out + &self.daemon.tandem(&["why"]).await.out;
            panic!("{}", self.daemon.with_log(&format!("{label} never is {standing}:\n{said}")));
        }
    }

    async fn serves(&self, label: &str) -> bool {
        get(self.address, "/").await.contains(label)
    }

    /// Waits until something was refused, and tells why.
    async fn refusal(&self, name: &str) -> String {
        let refused = until(LONG, async || {
            let queue = self.queue().await;
            let declined =
                queue["declined"].as_array()?.iter().find(|declined| declined["name"] == name)?.clone();
            declined["why"].as_str().map(str::to_owned)
        });
        refused.await.unwrap_or_else(|| panic!("{}", self.daemon.with_log(&format!("{name} is not refused"))))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_is_deployed_when_it_is_whole() {
    let site = Site::open("").await;
    site.drop_in("v1", None);
    site.await_standing("v1", "settled").await;
    assert!(site.serves("v1").await);

    // One that grows is none until it does not grow any more; what is half of one is told.
    let (whole, growing) = (fs::read(site.archive("v2", None)).unwrap(), site.incoming("shop-v2.tar"));
    fs::write(site.incoming("shop-v3.tar.part"), &whole).unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    for part in whole.chunks(whole.len() / 8 + 1) {
        pace.tick().await;
        OpenOptions::new().create(true).append(true).open(&growing).unwrap().write_all(part).unwrap();
    }
    site.await_standing("v2", "settled").await;
    assert!(site.serves("v2").await);
    fs::write(site.incoming("shop-v4.tar"), &whole[..700]).unwrap();
    assert!(site.refusal("shop-v4.tar").await.contains("truncated"));
    let why = site.daemon.tandem(&["why"]).await.out;
    assert!(why.contains("shop-v4.tar was not taken") && why.contains("truncated"), "{why}");
    // Mended, it is taken.
    site.drop_in("v4", None);
    site.await_standing("v4", "settled").await;

    let history = site.daemon.tandem(&["history", "--json"]).await.json();
    let who: Vec<_> = history.as_array().unwrap().iter().map(|record| record["who"].clone()).collect();
    assert_eq!(who, ["source", "source", "source"]);
    assert!(site.incoming("shop-v1.tar").exists(), "nothing is removed from the folder");
    let inbox = site.folder.path().join("state/inbox");
    let swept = until(LONG, async || (fs::read_dir(&inbox).unwrap().count() == 0).then_some(()));
    swept.await.expect("what is deployed is not kept twice");
    site.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_the_newest_ends_live_and_none_is_forgotten() {
    let site = Site::open("").await;
    for number in 1..=100 {
        site.drop_in(&format!("v{number}"), None);
    }
    site.await_standing("v100", "settled").await;
    assert!(site.serves("v100").await);
    let queue = site.queue().await;
    let entries = queue["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 100);
    let is_over =
        |entry: &&Value| matches!(entry["standing"]["standing"].as_str(), Some("settled" | "superseded"));
    assert_eq!(entries.iter().filter(is_over).count(), 100, "{queue}");
    let history = site.daemon.tandem(&["history", "--json"]).await.json();
    let settled = entries.iter().filter(|entry| entry["standing"]["standing"] == "settled").count();
    assert_eq!(history.as_array().map(Vec::len), Some(settled));
    site.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_begins_in_a_freeze_but_a_hotfix() {
    let site = Site::open("freezes = [\"00:00-24:00 Europe/Berlin\"]\nhotfix = \"*-hotfix*\"").await;
    for number in 1..=20 {
        site.drop_in(&format!("v{number}"), None);
    }
    site.await_standing("v20", "waiting").await;
    let why = site.daemon.tandem(&["why"]).await.out;
    assert!(why.contains("v20 came") && why.contains("for the end of the freeze"), "{why}");
    site.drop_in("v20-hotfix", None);
    site.await_standing("v20-hotfix", "settled").await;
    site.await_standing("v20", "superseded").await;
    // By hand, too; what waits for somebody's word waits behind it.
    let archive = site.archive("v21", None);
    let said = site.daemon.tandem(&["deploy", archive.to_str().unwrap(), "--hotfix"]).await;
    assert_eq!(said.code, Some(0), "{}", site.daemon.with_log(&said.err));
    assert!(said.out.contains("v20-hotfix → v21"), "{}", said.out);
    let history = site.daemon.tandem(&["history", "--json"]).await.json();
    assert_eq!(history.as_array().map(Vec::len), Some(2), "{history}");
    site.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_back_pauses_the_source_until_somebody_resumes() {
    let site = Site::open("").await;
    site.drop_in("v1", None);
    site.await_standing("v1", "settled").await;
    site.drop_in("v2", Some("start"));
    site.await_standing("v2", "went_back").await;
    site.drop_in("v3", None);
    site.await_standing("v3", "waiting").await;
    let why = site.daemon.tandem(&["why"]).await.out;
    assert!(why.contains("v2 went back (d2)") && why.contains("tandem source resume"), "{why}");
    // The same once more, under another name, is not tried again.
    fs::copy(site.incoming("shop-v2.tar"), site.incoming("shop-v2b.tar")).unwrap();
    let said = site.daemon.tandem(&["source", "pause"]).await;
    assert_eq!(said.code, Some(5), "{}", said.err);
    let said = site.daemon.tandem(&["source", "resume"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    site.await_standing("v3", "settled").await;
    assert!(site.serves("v3").await);
    assert_eq!(site.standing("v2b").await, "unknown");
    let history = site.daemon.tandem(&["history", "--json"]).await.json();
    assert_eq!(history.as_array().map(Vec::len), Some(3), "{history}");
    site.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_controller_loses_nothing_that_waits() {
    let site =
        Site::open("approve = true\ncheck = [\"sh\", \"-c\", \"test -f $FILE && test $DIGEST\"]").await;
    site.drop_in("v1", None);
    site.await_standing("v1", "waiting").await;
    // What waits is kept apart from the folder.
    fs::remove_file(site.incoming("shop-v1.tar")).unwrap();
    let before = site.daemon.pids(Kind::Controller);
    assert!(before.iter().all(|pid| kill(*pid)));
    let again = until(LONG, async || (site.daemon.tandem(&["status"]).await.code == Some(0)).then_some(()));
    again.await.expect("another controller");
    assert_ne!(site.daemon.pids(Kind::Controller), before);
    let said = site.daemon.tandem(&["approve", "v2"]).await;
    assert_eq!(said.code, Some(5), "{}", said.err);
    let said = site.daemon.tandem(&["approve", "v1"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    // And in the middle of what is being deployed.
    let deploying =
        until(LONG, async || Some(site.standing("v1").await).filter(|standing| standing != "waiting"));
    deploying.await.expect("it begins");
    site.daemon.pids(Kind::Controller).into_iter().for_each(|pid| _ = kill(pid));
    site.await_standing("v1", "settled").await;
    assert!(site.serves("v1").await);
    site.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_signed_or_of_other_content_is_refused() {
    let key = "RWR0YW5kZW0wMdIMbOWwgLVA9lsCa5utfA+JlMawtNwZg8z+pDP5FzBd";
    let site = Site::open(&format!("public_key = \"{key}\"")).await;
    site.drop_in("v1", None);
    assert!(site.refusal("shop-v1.tar").await.contains("not signed"));
    // By that key, of other content.
    let signature = "untrusted comment: signature from minisign secret key\n\
        RUR0YW5kZW0wMSHs7yEJkkQv/aA1BCqVRZbBN2cKhf/+H6OviAXNurEuasAl+aOmD6sbkYCl7QCjiRt3u3+aCs/QT09+4Qjl7gE=\n\
        trusted comment: timestamp:1774346400\tfile:x.tar.gz\thashed\n\
        A7Lbq3eSgloPaxqpEM1a3X9UGMLqvlHYhbc75sQhh9t/bnbguOVmHKJ+xYeCLYv4pSkVvqOa0YCR8njUmXkEAg==\n";
    fs::write(site.incoming("shop-v2.tar.minisig"), signature).unwrap();
    site.drop_in("v2", None);
    assert!(site.refusal("shop-v2.tar").await.contains("of other content"));
    fs::write(site.incoming("shop-v3.tar.sha256"), format!("{}  shop-v3.tar\n", "ab".repeat(32))).unwrap();
    site.drop_in("v3", None);
    assert!(site.refusal("shop-v3.tar").await.contains("SHA-256"));
    let archive = site.archive("v4", None);
    let said = site.daemon.tandem(&["deploy", archive.to_str().unwrap(), "--hotfix"]).await;
    assert_eq!(said.code, Some(2), "a hotfix is signed, too: {}", said.err);
    let history = site.daemon.tandem(&["history", "--json"]).await.json();
    assert_eq!(history.as_array().map(Vec::len), Some(0), "{history}");
    site.daemon.stop().await.unwrap();
}

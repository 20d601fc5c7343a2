//! Interleaved rounds: every proxy in each of them, in turning order, so that what disturbs the machine disturbs all.

use super::figures::Cost;
use super::peer::{Peer, Running};
use super::scene::Scene;
use super::speech::Speech;
use super::{Options, cpu, pressure};

/// One measurement of one proxy.
#[derive(Debug, Clone, Copy)]
struct Sample {
    peer: Peer,
    /// Microseconds of CPU time per request.
    cost: f64,
    per_second: f64,
    p99_ms: f64,
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub(super) threads: u32,
    pub(super) answer: char,
    pub(super) speech: Speech,
}

/// Measures all peers in one setting.
pub(super) fn measure(scene: &Scene, options: &Options, setting: Setting) -> Result<Vec<Cost>, String> {
    let Setting { threads, answer, speech } = setting;
    let path = format!("/{answer}");
    let mut proxies = Vec::new();
    for name in &options.peers {
        let running = Peer::named(name)?.start(scene, threads, speech, &[])?;
        pressure::full(running.address, &path, speech, options.connections, 1, threads == 1)?;
        proxies.push(running);
    }
    let mut rounds = Vec::new();
    for round in 0..options.rounds.max(1) {
        let mut samples = Vec::new();
        for turn in 0..proxies.len() {
            let Some(running) = proxies.get((turn + round) % proxies.len()) else { continue };
            let sample = sample(running, options, setting, &path)?;
            eprintln!(
                "round {round}, {threads} threads, {} {path}: {} {:.1} us/request",
                speech.name(),
                running.peer.name(),
                sample.cost
            );
            samples.push(sample);
        }
        rounds.push(samples);
    }
    proxies.into_iter().try_for_each(Running::end)?;
    let names: Result<Vec<Peer>, String> = options.peers.iter().map(|name| Peer::named(name)).collect();
    Ok(names?.into_iter().map(|peer| sum_up(peer, &rounds, setting)).collect())
}

fn sample(running: &Running, options: &Options, setting: Setting, path: &str) -> Result<Sample, String> {
    let before = cpu::used(running.pid());
    let Setting { threads, speech, .. } = setting;
    let (connections, seconds) = (options.connections, options.seconds);
    let seen = pressure::full(running.address, path, speech, connections, seconds, threads == 1)?;
    let used = cpu::used(running.pid()).saturating_sub(before);
    let requests = seen.requests.max(1) as f64;
    Ok(Sample {
        peer: running.peer,
        cost: used.as_secs_f64() * 1e6 / requests,
        per_second: requests / f64::from(options.seconds.max(1)),
        p99_ms: seen.p99.as_secs_f64() * 1e3,
    })
}

fn sum_up(peer: Peer, rounds: &[Vec<Sample>], setting: Setting) -> Cost {
    let Setting { threads, answer, speech } = setting;
    let of = |wanted: Peer, samples: &[Sample]| samples.iter().copied().find(|sample| sample.peer == wanted);
    let own: Vec<Sample> = rounds.iter().filter_map(|samples| of(peer, samples)).collect();
    let paired = |other: Peer| {
        let ratio = |samples: &Vec<Sample>| Some(of(peer, samples)?.cost / of(other, samples)?.cost);
        median(rounds.iter().filter_map(ratio).collect())
    };
    let costs: Vec<f64> = own.iter().map(|sample| sample.cost).collect();
    Cost {
        peer: peer.name().to_owned(),
        threads,
        speaks: speech.name().to_owned(),
        bytes: if answer == 'b' { 10 * 1024 } else { 100 },
        us_per_request: median(costs.clone()).unwrap_or(0.0),
        lowest: costs.iter().copied().fold(f64::INFINITY, f64::min),
        highest: costs.iter().copied().fold(0.0, f64::max),
        of_haproxy: paired(Peer::Haproxy),
        of_nginx: paired(Peer::Nginx),
        requests_per_second: median(own.iter().map(|sample| sample.per_second).collect()).unwrap_or(0.0),
        p99_ms: median(own.iter().map(|sample| sample.p99_ms).collect()).unwrap_or(0.0),
    }
}

/// The middle one, the mean of two; none of none.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(peer: Peer, cost: f64) -> Sample {
        Sample { peer, cost, per_second: 1.0, p99_ms: 1.0 }
    }

    #[test]
    fn ratios_are_paired_by_round() {
        let pairs = [(10.0, 20.0), (40.0, 40.0), (30.0, 100.0)];
        let rounds: Vec<Vec<Sample>> = pairs
            .iter()
            .map(|&(own, other)| vec![sample(Peer::Tandem, own), sample(Peer::Haproxy, other)])
            .collect();
        let cost = sum_up(Peer::Tandem, &rounds, Setting { threads: 1, answer: 'a', speech: Speech::Http });
        assert_eq!((cost.us_per_request, cost.of_haproxy, cost.of_nginx), (30.0, Some(0.5), None));
    }
}

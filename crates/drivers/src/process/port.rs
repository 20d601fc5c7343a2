//! Which port an instance gets: in the service's range, outside the range of outgoing connections (there the system could
//! give it away while the app restarts), held by no other instance, and really free.
//!
//! Must not know instances or records. Tested in place.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use sha2::{Digest as _, Sha256};
use tandem_core::base::InstanceId;
use tandem_core::spec::PortRange;

use crate::driver::DriverError;

/// Chooses a port for an instance. The search begins at a place that depends on the state folder and the instance, so
/// that daemons beside each other, and instances after each other, rarely meet.
pub(crate) fn choose(
    range: PortRange,
    state: &Path,
    instance: InstanceId,
    taken: &BTreeSet<u16>,
) -> Result<u16, DriverError> {
    let outgoing = outgoing_ports();
    let usable: Vec<u16> = (range.first..=range.last).filter(|port| !outgoing.contains(port)).collect();
    let start = match usable.len() as u64 {
        0 => 0,
        len => place(state).wrapping_add(instance.0) % len,
    } as usize;
    let candidates = usable.iter().cycle().skip(start).take(usable.len());
    let mut free = candidates.filter(|port| !taken.contains(port) && is_free(**port));
    free.next().copied().ok_or(DriverError::NoPort {
        first: range.first,
        last: range.last,
        tried: usable.len(),
    })
}

fn place(state: &Path) -> u64 {
    let hash = Sha256::digest(state.as_os_str().as_encoded_bytes());
    hash.iter().take(7).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The ports that the system hands to outgoing connections.
fn outgoing_ports() -> std::ops::RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_ascii_whitespace().map_while(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(first), Some(last)) => first..=last,
        _ => 32_768..=60_999,
    }
}

/// Whether nothing is bound to the port on any address. Asked without `SO_REUSEADDR`, as an app may ask, and without
/// listening, so that nobody can connect meanwhile.
fn is_free(port: u16) -> bool {
    let can_bind = |family, address: SocketAddr| {
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        socket.map(|socket| bind(&socket, &address))
    };
    let v4 = [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED]
        .map(|ip| can_bind(AddressFamily::INET, SocketAddr::from((ip, port))));
    let v6 = can_bind(AddressFamily::INET6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    v4.iter().all(|bound| matches!(bound, Ok(Ok(())))) && !matches!(v6, Ok(Err(rustix::io::Errno::ADDRINUSE)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn choose_in(first: u16, last: u16, taken: &[u16]) -> Result<u16, DriverError> {
        let taken = taken.iter().copied().collect();
        choose(PortRange { first, last }, Path::new("/x"), InstanceId(1), &taken)
    }

    /// A listener outside the range of outgoing connections, found by trying.
    fn listener(address: &str) -> TcpListener {
        (31_000..32_000).find_map(|port| TcpListener::bind((address, port)).ok()).unwrap()
    }

    #[test]
    fn a_port_on_which_somebody_listens_is_passed_over() {
        for address in ["127.0.0.1", "0.0.0.0", "127.0.0.2"] {
            let listener = listener(address);
            let port = listener.local_addr().unwrap().port();
            assert!(
                matches!(choose_in(port, port, &[]), Err(DriverError::NoPort { tried: 1, .. })),
                "{address}"
            );
        }
    }

    #[test]
    fn taken_and_outgoing_ports_are_not_given() {
        assert!(matches!(choose_in(20_000, 20_001, &[20_000, 20_001]), Err(DriverError::NoPort { .. })));
        let outgoing = outgoing_ports();
        let inside = choose_in(*outgoing.start(), *outgoing.end(), &[]);
        assert!(matches!(inside, Err(DriverError::NoPort { tried: 0, .. })));
    }
}

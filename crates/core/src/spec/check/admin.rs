//! The way in from the network is closed unless it can be kept: what its values mean together.

use super::super::admin::AdminSpec;
use super::super::found::Found;
use super::contradiction;

/// Nothing that opens a door is sent in clear text to another machine.
pub(in crate::spec) fn network_is_safe(admin: &AdminSpec, found: &mut Found) {
    if !found.good(&["admin.listen", "admin.certificate", "admin.key", "admin.hosts"]) {
        return;
    }
    let Some(address) = admin.listen else {
        let idle = [
            (!admin.hosts.is_empty(), "admin.hosts"),
            (admin.certificate.is_some(), "admin.certificate"),
            (admin.key.is_some(), "admin.key"),
        ];
        if let Some((_, path)) = idle.into_iter().find(|(is_said, _)| *is_said) {
            let message = format!("`{path}` is for connections from the network, and there are none");
            contradiction(
                found,
                path,
                message,
                "write for example listen = \"127.0.0.1:7443\", or leave it out",
            );
        }
        return;
    };
    match (&admin.certificate, &admin.key) {
        (None, None) if !address.ip().to_canonical().is_loopback() => {
            let message = format!(
                "`admin.listen` is {address}, which other machines reach, and connections would not be encrypted"
            );
            let help = "name `certificate` and `key`, or listen on 127.0.0.1 and come by a tunnel: ssh -L 7443:127.0.0.1:7443";
            contradiction(found, "admin.listen", message, help);
        }
        (Some(_), None) => one_half(found, "admin.certificate", "key"),
        (None, Some(_)) => one_half(found, "admin.key", "certificate"),
        _ => {}
    }
}

fn one_half(found: &mut Found, path: &str, other: &str) {
    let message = format!("`{path}` says one half of what encrypts connections");
    contradiction(found, path, message, format!("name `{other}`, too"));
}

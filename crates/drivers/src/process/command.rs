//! From the command of a service to a program that can be executed: arguments, environment, and which file is meant.
//!
//! Never through a shell. Must not know keepers or instances' folders. Tested in place.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::driver::StartInstance;

/// What an app gets of the daemon's own environment, beside `LC_*`.
const PASSED_ON: [&str; 8] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"];

/// Where programs are looked for when the environment does not say.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The command with the instance's port in the place of `$PORT` and `${PORT}`.
pub(crate) fn with_port(command: &[String], port: u16) -> Vec<String> {
    command.iter().map(|argument| insert_port(argument, &port.to_string())).collect()
}

fn insert_port(argument: &str, port: &str) -> String {
    let argument = argument.replace("${PORT}", port);
    let mut parts = argument.split("$PORT");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let longer_name = part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        result.push_str(if longer_name { "$PORT" } else { port });
        result.push_str(part);
    }
    result
}

/// The environment of an instance: the allowed part of the daemon's own, then the service's, then Tandem's.
pub(crate) fn environment(
    own: impl Iterator<Item = (String, String)>,
    start: &StartInstance,
    port: u16,
) -> BTreeMap<String, String> {
    let mut env = passed_on(own);
    env.extend(start.run.env.clone());
    let told = [
        ("PORT", port.to_string()),
        ("TANDEM_SERVICE", start.service.to_string()),
        ("TANDEM_VERSION", start.version.to_string()),
        ("TANDEM_INSTANCE", start.instance.to_string()),
    ];
    env.extend(told.map(|(name, value)| (name.to_owned(), value)));
    env
}

/// The allowed part of the daemon's own environment.
pub(crate) fn passed_on(own: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let allowed = |name: &str| PASSED_ON.contains(&name) || name.starts_with("LC_");
    own.filter(|(name, _)| allowed(name)).collect()
}

/// The file that `program` means, or why it cannot be executed. With a slash it is in `files`, the release folder;
/// without, it is looked for on the `PATH` of `env`.
pub(crate) fn resolve(
    program: &str,
    files: &Path,
    env: &BTreeMap<String, String>,
) -> Result<PathBuf, String> {
    let found = if program.contains('/') { files.join(program) } else { on_path(program, files, env)? };
    let metadata = fs::metadata(&found).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("there is no {}: is {program:?} in the deliverable, at this place?", found.display())
        }
        _ => format!("{}: {error}", found.display()),
    })?;
    if !metadata.is_file() {
        return Err(format!("{} is not a file", found.display()));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        let advice = "run `chmod +x` on it before packing, or start it through its interpreter";
        return Err(format!("{} is not executable: {advice}", found.display()));
    }
    check_format(&found)?;
    Ok(found)
}

fn on_path(program: &str, files: &Path, env: &BTreeMap<String, String>) -> Result<PathBuf, String> {
    let path = env.get("PATH").map_or(USUAL_PATH, String::as_str);
    let executable = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let folders = path.split(':').filter(|folder| folder.starts_with('/'));
    folders.map(|folder| Path::new(folder).join(program)).find(executable).ok_or_else(|| {
        let in_release = files.join(program);
        if in_release.exists() {
            format!("{program:?} is not on PATH ({path}); the deliverable has a file of that name: write \"./{program}\"")
        } else {
            format!("{program:?} is neither on PATH ({path}) nor at {}", in_release.display())
        }
    })
}

/// Refuses what the system could not execute. The C library would give such a file to `/bin/sh`, and its complaints
/// about a damaged program help nobody.
fn check_format(program: &Path) -> Result<(), String> {
    let shown = program.display();
    let mut head = Vec::new();
    let file = File::open(program).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    file.take(256).read_to_end(&mut head).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    if let Some(line) = head.strip_prefix(b"#!") {
        return check_interpreter(line).map_err(|why| format!("{shown}: {why}"));
    }
    let known = head.starts_with(b"\x7fELF") && is_for_this_machine(&head);
    if known || others_are_registered() {
        return Ok(());
    }
    let what = match (head.is_empty(), head.starts_with(b"\x7fELF")) {
        (true, _) => "is empty",
        (_, true) => "is a program for another kind of machine",
        _ => "is neither a program for this machine nor a script that begins with #!",
    };
    Err(format!("{shown} {what}"))
}

fn check_interpreter(after_mark: &[u8]) -> Result<(), String> {
    let line = after_mark.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let interpreter = line.trim_start_matches([' ', '\t']).split([' ', '\t']).next().unwrap_or_default();
    if let Some(bare) = interpreter.strip_suffix('\r') {
        return Err(format!(
            "its first line ends as on Windows, so {bare:?} is not found: convert its line ends"
        ));
    }
    if Path::new(interpreter).exists() {
        return Ok(());
    }
    Err(format!("its first line asks for {interpreter:?}, which is not there"))
}

/// Compares class, byte order and machine of an ELF head with those of this very program.
fn is_for_this_machine(head: &[u8]) -> bool {
    let mut own = Vec::new();
    let read = File::open("/proc/self/exe").and_then(|file| file.take(20).read_to_end(&mut own));
    let machine = |head: &[u8]| Some((head.get(4..6)?.to_vec(), head.get(18..20)?.to_vec()));
    // An x86-64 kernel as a rule also runs programs for its 32-bit forebear.
    let forebear = (vec![1, 1], vec![3, 0]);
    match (read, machine(&own), machine(head)) {
        (Ok(_), Some(own), Some(other)) => own == other || cfg!(target_arch = "x86_64") && other == forebear,
        _ => true,
    }
}

/// Whether the system was told of further kinds of programs, so that nothing can be ruled out.
fn others_are_registered() -> bool {
    let entries = fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| name != "register" && name != "status")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_stands_where_it_was_asked_for() {
        let command =
            ["-p", "$PORT", "--at=0.0.0.0:${PORT}", "$PORTAL", "$PORT/$PORT.", "$$PORT"].map(str::to_owned);
        assert_eq!(with_port(&command, 80), ["-p", "80", "--at=0.0.0.0:80", "$PORTAL", "80/80.", "$80"]);
    }

    #[test]
    fn programs_are_found_or_the_message_says_where_they_were_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        write("plain", "#!/bin/sh\n", 0o644);
        write("good", "#! /bin/sh -e\n", 0o755);
        write("windows", "#!/bin/sh\r\n", 0o755);
        write("gone", "#!/no/such/thing\n", 0o755);
        write("empty", "", 0o755);
        write("alien", "\x7fELF\x02\x02\x01aaaaaaaaaaaaaaaaaaa", 0o755);
        let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let resolve = |program: &str| resolve(program, folder.path(), &env);
        assert_eq!(resolve("./good").unwrap(), folder.path().join("./good"));
        assert!(resolve("sh").unwrap().ends_with("sh"));
        for (program, message) in [
            ("good", "write \"./good\""),
            ("no-such-program", "neither on PATH"),
            ("bin/none", "in the deliverable"),
            ("./plain", "not executable"),
            ("./windows", "Windows"),
            ("./gone", "/no/such/thing"),
            ("./", "not a file"),
        ] {
            let error = resolve(program).unwrap_err();
            assert!(error.contains(message), "{program}: {error}");
        }
        if !others_are_registered() {
            assert!(resolve("./empty").unwrap_err().contains("is empty"));
            assert!(resolve("./alien").unwrap_err().contains("another kind of machine"));
        }
    }
}

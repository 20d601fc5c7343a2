//! The keeper as a program: what `tandem keeper …` is in production, without the rest of Tandem. And a controller that does
//! nothing but start one instance, to be killed at it.

use std::path::Path;
use std::process::ExitCode;

use tandem_core::spec::RunSpec;
use tandem_drivers::process::{ProcessDriver, keeper};
use tandem_drivers::{Driver, StartInstance};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let text: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    match text.as_slice() {
        ["start", state, instance, run] => {
            start(state, instance, run).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        _ => keeper::main(arguments.into_iter()),
    }
}

fn start(state: &str, instance: &str, run: &str) -> Option<()> {
    let command = keeper::KeeperCommand::other(&std::env::current_exe().ok()?, Vec::new());
    let driver = ProcessDriver::open(Path::new(state), command).ok()?;
    let run: RunSpec = serde_json::from_str(run).ok()?;
    let (version, service) = ("v1".parse().ok()?, "shop".parse().ok()?);
    let start = StartInstance { instance: instance.parse().ok()?, version, service, run };
    driver.start(&start).ok().map(drop)
}

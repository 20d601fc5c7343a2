//! The keeper as a program: what `tandem keeper …` is in production, without the rest of Tandem.

use std::process::ExitCode;

fn main() -> ExitCode {
    tandem_drivers::process::keeper::main(std::env::args_os().skip(1))
}

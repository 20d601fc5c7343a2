//! `tandem token`: what may be said.

use clap::{Args, Subcommand, ValueEnum};
use tandem_core::base::ServiceName;
use tandem_server::admin::TokenName;
use tandem_server::api::Role;

const EXAMPLES: &str = "\
Examples:
  tandem token create ci --role deployer --service shop --expires 90d
  tandem token revoke ci

A change is in force at once. Where tokens are good: [admin] in tandem.toml.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) verb: TokenVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenVerb {
    /// Make a token, and print it this once
    #[command(
        after_help = "Examples:\n  tandem token create ci --role deployer --service shop --expires 90d\n  tandem token create wall --role viewer"
    )]
    Create(TokenCreate),
    /// List the tokens
    #[command(after_help = "Example:\n  tandem token list")]
    List,
    /// Take a token out of force
    #[command(after_help = "Example:\n  tandem token revoke ci\n\nAlso for what is under way with it.")]
    Revoke {
        /// Which one
        name: TokenName,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TokenCreate {
    /// What it is called: who has it, or what for
    pub(crate) name: TokenName,
    /// What it is good for
    #[arg(long, value_enum)]
    pub(crate) role: RoleName,
    /// Only for this service; may be said several times [default: all]
    #[arg(id = "service", long = "service", short = 's', value_name = "NAME")]
    pub(crate) services: Vec<ServiceName>,
    /// How long it is good, such as 90d or 12h [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    /// Sees what goes on, but no logs and no configuration
    Viewer,
    /// Deploys, goes back, holds requests, reads logs
    Deployer,
    /// Everything
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Role {
        match name {
            RoleName::Viewer => Role::Viewer,
            RoleName::Deployer => Role::Deployer,
            RoleName::Admin => Role::Admin,
        }
    }
}

//! `tandem token`: who may ask over the network. Tokens are a file of the state folder, so this needs no daemon.

use serde::Serialize;
use tandem_core::base::{Millis, Timestamp};
use tandem_server::admin::{Token, TokenBook, TokenError};
use tandem_server::clock::wall_time;
use tandem_server::state::StateFolder;

use crate::args::Global;
use crate::args::token::{TokenCreate, TokenVerb};
use crate::columns::{Columns, bad, good, local, text};
use crate::failure::{Exit, Failure};
use crate::place::Place;
use crate::terminal::{GOOD, Terminal};
use crate::verb::Ending;

/// 24 hours, in milliseconds.
const DAY: u64 = 86_400_000;

/// A token as `--json` prints it when it is made.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    token: &'a Token,
    secret: &'a str,
}

pub(crate) fn run(verb: &TokenVerb, global: &Global, terminal: &Terminal) -> Ending {
    let book = TokenBook::of(&StateFolder::at(&Place::front(global)?.state));
    match verb {
        TokenVerb::Create(wish) => create(&book, wish, terminal),
        TokenVerb::List => list(&book, terminal),
        TokenVerb::Revoke { name } => {
            book.revoke(name).map_err(refused)?;
            if terminal.json {
                terminal.object(&serde_json::json!({ "revoked": name }));
            } else {
                terminal.say(format_args!("{GOOD}✔{GOOD:#} {name} is not good for anything any more"));
            }
            Ok(Exit::Done)
        }
    }
}

fn create(book: &TokenBook, wish: &TokenCreate, terminal: &Terminal) -> Ending {
    let lasts = wish.expires.as_deref().map(length).transpose()?;
    let made = book.create(wish.name.clone(), wish.role.into(), wish.services.clone(), lasts);
    let (token, secret) = made.map_err(refused)?;
    if terminal.json {
        terminal.object(&Made { token: &token, secret: &secret });
    } else {
        terminal.line(&secret);
        terminal.say("keep it: it is not shown again, and whoever has it may use it");
    }
    Ok(Exit::Done)
}

/// A length of time; only here may it be in days.
fn length(text: &str) -> Result<Millis, Failure> {
    let days = text.strip_suffix('d').and_then(|days| days.trim().parse::<u64>().ok());
    let length = match days {
        Some(days) => days.checked_mul(DAY).map(Millis),
        None => text.parse().ok(),
    };
    let length = length.filter(|length: &Millis| (1..=3660 * DAY).contains(&length.0));
    length.ok_or_else(|| {
        Failure::usage(format!("--expires {text:?} is not a length of time up to ten years"))
            .help("write for example 90d or 12h")
    })
}

fn list(book: &TokenBook, terminal: &Terminal) -> Ending {
    let tokens = book.all().map_err(refused)?;
    if terminal.json {
        terminal.object(&tokens);
        return Ok(Exit::Done);
    }
    if tokens.is_empty() {
        terminal.say("there are no tokens: tandem token create NAME --role viewer");
        return Ok(Exit::Done);
    }
    let now = wall_time();
    let mut columns = Columns::new(&["NAME", "ROLE", "SERVICES", "CREATED", "EXPIRES", "STATE"]);
    for token in &tokens {
        let services: Vec<&str> = token.services.iter().map(|name| name.as_str()).collect();
        let services = if services.is_empty() { "all".to_owned() } else { services.join(", ") };
        let expires = token.expires.map_or_else(|| "never".to_owned(), |at: Timestamp| local(at));
        let state = if token.has_ended(now) { bad("over") } else { good("good") };
        let row = [&token.name.to_string(), token.role.name(), &services, &local(token.created), &expires];
        columns.row(row.map(text).into_iter().chain([state]).collect());
    }
    terminal.text(&columns.lines());
    Ok(Exit::Done)
}

fn refused(error: TokenError) -> Failure {
    let exit = match &error {
        TokenError::Taken(_) | TokenError::Full => Exit::Refused,
        TokenError::Unknown(_) => Exit::Usage,
        _ => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}

//! The statements that versions really use, prepared and planned in each state; what would break is named.
//!
//! Kept prepared across the states as a client's would be, so that a changed result shape shows. Statements whose parameters
//! have no type of their own, and utility statements, can't be proven; they are passed over.

use postgres::Client;
use tandem_schema::name::ident;
use tandem_schema::plan::Plan;

use super::Unprepared;
use crate::error::Error;
use crate::scratch::Scratch;

/// Statements, parameters written `$1`.
#[derive(Debug, Clone, Default)]
pub struct Statements {
    /// Of the version that runs.
    pub old: Vec<String>,
    /// Of the version that comes.
    pub new: Vec<String>,
}

/// A statement that would not work.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Broken {
    /// The statement.
    pub statement: String,
    /// The version whose it is: `old` or `new`.
    pub side: &'static str,
    /// In which state: `mixed` or `settled`.
    pub state: &'static str,
    /// What the server said, or how the shape differs.
    pub why: String,
}

/// A statement that is watched: its text, and its columns as they were first.
struct Watched {
    text: String,
    columns: Option<Vec<(String, String)>>,
}

/// A client of each side.
pub(super) struct Proof {
    old: Client,
    new: Client,
    watched: (Vec<Watched>, Vec<Watched>),
    pub(super) broken: Vec<Broken>,
}

impl Proof {
    /// Connects a client of each side to a copy, and prepares what works before.
    pub(super) fn begin(copy: &Scratch, plan: &Plan, statements: &Statements) -> Result<Proof, Error> {
        let side = |lens: &str| -> Result<Client, Error> {
            let mut client = copy.connect()?;
            client.batch_execute(&format!(
                "SET search_path = {}, {}; SET plan_cache_mode = force_generic_plan",
                ident(lens),
                ident(&plan.home)
            ))?;
            Ok(client)
        };
        let (mut old, new) = (side(&plan.old_lens)?, side(&plan.new_lens)?);
        let first = statements.old.iter().filter_map(|text| {
            let columns = shape(&mut old, text).ok()?;
            Some(Watched { text: text.clone(), columns: Some(columns) })
        });
        let first = first.collect();
        let later = statements.new.iter().map(|text| Watched { text: text.clone(), columns: None }).collect();
        Ok(Proof { old, new, watched: (first, later), broken: Vec::new() })
    }

    /// Both versions are alive.
    pub(super) fn mixed(&mut self) -> Result<(), Unprepared> {
        let (old, new) = &mut self.watched;
        check(&mut self.old, old, ("old", "mixed"), &mut self.broken);
        check(&mut self.new, new, ("new", "mixed"), &mut self.broken);
        Ok(())
    }

    /// Only the new one is.
    pub(super) fn settled(&mut self) -> Result<(), Unprepared> {
        check(&mut self.new, &mut self.watched.1, ("new", "settled"), &mut self.broken);
        Ok(())
    }
}

fn check(
    client: &mut Client,
    watched: &mut [Watched],
    (side, state): (&'static str, &'static str),
    broken: &mut Vec<Broken>,
) {
    for one in watched {
        let why = match (shape(client, &one.text), &one.columns) {
            (Err(why), _) => Some(why.to_string()),
            (Ok(found), Some(first)) if found != *first => {
                Some(format!("its columns are {found:?}, they were {first:?}"))
            }
            (Ok(found), _) => {
                one.columns = Some(found);
                None
            }
        };
        if let Some(why) = why {
            broken.push(Broken { statement: one.text.clone(), side, state, why });
        }
    }
}

/// Prepares and plans a statement: the columns that it gives.
fn shape(client: &mut Client, text: &str) -> Result<Vec<(String, String)>, Error> {
    let statement = client.prepare(text)?;
    let columns = statement
        .columns()
        .iter()
        .map(|column| (column.name().to_owned(), column.type_().name().to_owned()))
        .collect();
    // Some errors (the arbiter of ON CONFLICT) show only when a plan is made.
    let nulls = vec!["NULL"; statement.params().len()].join(", ");
    let arguments = if nulls.is_empty() { String::new() } else { format!("({nulls})") };
    let planned = client.batch_execute(&format!(
        "PREPARE tandem_proof AS {text}; EXPLAIN EXECUTE tandem_proof{arguments}; DEALLOCATE tandem_proof"
    ));
    if planned.is_err() {
        let _ = client.batch_execute("DEALLOCATE tandem_proof");
    }
    planned?;
    Ok(columns)
}

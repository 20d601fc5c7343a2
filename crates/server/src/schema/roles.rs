//! A role of each revision, as which its instances connect: for poolers that share sessions, and so forget what a URL says.
//!
//! Its name and its password follow from the secret of the state folder, so nothing needs to be stored, and the server knows only
//! a verifier. Another secret makes other roles: instances that still run keep theirs. Tested end to end, through a real
//! pooler, in `crates/cli/tests/e2e/pooler.rs`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tandem_core::base::ServiceName;
use tandem_postgres::{Error, connect, role, shown};
use tandem_schema::name::{ident, lens};

use super::access::{self, Login};
use super::{Form, Site, Standing, Trouble};
use crate::secret::{Secret, verifier::verifier};

/// A right that is missing.
const DENIED: &str = "42501";

/// The roles of a service in its database.
pub(crate) struct Roles {
    /// The URL with which instances would connect otherwise.
    url: String,
    /// The role in it, whose rights each of these has.
    app: String,
    secret: Secret,
    /// What their names end in.
    mark: String,
    /// Those that this controller knows to be there.
    made: Mutex<BTreeSet<String>>,
}

impl Roles {
    /// Those that stand for the role in `url`.
    pub(crate) fn new(
        site: &Site,
        url: &str,
        service: &ServiceName,
        secret: Secret,
    ) -> Result<Roles, Trouble> {
        let nameless = || Error::Address {
            url: shown(url),
            why: "it must say whose rights the role of a revision gets: postgres://ROLE@…".to_owned(),
        };
        let app = role::user(url)?.ok_or_else(nameless)?;
        let mark = secret.mark(service, &shown(&site.url)).ok_or_else(nameless)?;
        Ok(Roles { url: url.to_owned(), app, secret, mark, made: Mutex::default() })
    }

    /// The URL for the instances of a revision, whose role is seen to. While the server is away it is taken to be there: an
    /// instance that has to be replaced meanwhile is no worse off than its neighbours.
    pub(crate) fn url(&self, site: &Site, revision: &str, form: Form) -> Result<String, Trouble> {
        let login = self.login(revision)?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !made.contains(&login.role) {
            match self.make(site, revision, &login) {
                Ok(()) => drop(made.insert(login.role.clone())),
                Err(error) if error.may_pass() => {
                    tracing::warn!("whether the role {} is there is not known: {error}", login.role);
                }
                Err(error) => return Err(error),
            }
        }
        drop(made);
        access::role_url(&self.url, revision, &login, form).map_err(Trouble::Unplanned)
    }

    /// Makes the role of a revision, and connects as its instances will.
    pub(crate) fn admit(&self, site: &Site, revision: &str) -> Result<(), Trouble> {
        let login = self.login(revision)?;
        self.make(site, revision, &login)?;
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(login.role.clone());
        let url = access::role_url(&self.url, revision, &login, Form::Libpq).map_err(Trouble::Unplanned)?;
        let refused = |why: String, help: String| Trouble::NotAdmitted {
            revision: revision.to_owned(),
            url: shown(&url),
            why,
            help,
        };
        let found = role::find(&url).map_err(|error| match &error {
            Error::Connect { code: None, why, .. } if !why.contains("password") => {
                refused(why.clone(), "it must be there before an instance is started".to_owned())
            }
            Error::Connect { why, .. } => refused(why.clone(), self.how_to_admit()),
            _ => refused(error.to_string(), self.how_to_admit()),
        })?;
        let lens = lens(revision);
        if found.user != login.role {
            let why = format!("the pooler comes to the server as {}, whoever connects to it", found.user);
            return Err(refused(why, "take `user=` out of its line in [databases]".to_owned()));
        }
        if found.path.split(',').next() != Some(&lens) {
            let why = format!("names are looked up in {}, not in {lens}", found.path);
            let help = "it must lead to the database of `url`, and set no search_path of its own";
            return Err(refused(why, help.to_owned()));
        }
        Ok(())
    }

    /// Removes the roles of revisions that are gone. What can't be removed is told, and tried again with the next deployment.
    pub(crate) fn sweep(&self, site: &Site) {
        if let Err(trouble) = self.swept(site) {
            tracing::warn!("roles of former revisions may be left: {trouble}");
        }
    }

    fn swept(&self, site: &Site) -> Result<(), Trouble> {
        let mut client = connect(&site.url)?;
        let state = Standing::read(&mut client, None)?.state;
        let reached = state.revision.map(|revision| revision.name);
        let changing = state.change.into_iter().flat_map(|change| [change.from, change.to]);
        let alive: BTreeSet<String> =
            reached.into_iter().chain(changing).map(|name| self.name(&name)).collect();
        for role in role::unused(&mut client, &self.mark)? {
            if alive.contains(&role) {
                continue;
            }
            // From here on it has to be made again by whoever needs it.
            self.made.lock().unwrap_or_else(PoisonError::into_inner).remove(&role);
            if let Err(error) = role::remove(&mut client, &role, &self.app) {
                tracing::warn!(
                    "the role {role} of a former revision is left: {error}; give away what it owns and drop it by hand"
                );
            }
        }
        Ok(())
    }

    fn name(&self, revision: &str) -> String {
        format!("{}_{}", lens(revision), self.mark)
    }

    fn login(&self, revision: &str) -> Result<Login, Trouble> {
        let role = self.name(revision);
        let password = self.secret.password(&role).ok_or_else(underivable)?;
        Ok(Login { role, password })
    }

    fn make(&self, site: &Site, revision: &str, login: &Login) -> Result<(), Trouble> {
        let salt = self.secret.salt(&login.role).ok_or_else(underivable)?;
        let verifier = verifier(&login.password, salt.get(..16).unwrap_or(&salt).as_bytes());
        let verifier = verifier.ok_or_else(underivable)?;
        let mut client = connect(&site.url)?;
        let row = client.query_one("SELECT current_database()::text, current_user::text", &[]);
        let row = row.map_err(Error::from)?;
        let (database, owner): (String, String) =
            (row.try_get(0).map_err(Error::from)?, row.try_get(1).map_err(Error::from)?);
        let role = access::Role {
            name: &login.role,
            revision,
            home: &site.home,
            database: &database,
            member_of: Some(&self.app),
            login: true,
            verifier: Some(&verifier),
        };
        role::make(&mut client, &access::role(&role)).map_err(|error| match error {
            Error::Server(refusal) if refusal.code == DENIED => {
                let what = format!("make the role {} ({})", login.role, refusal.message);
                Error::MayNot { help: self.how_to_allow(&owner), who: owner, what }.into()
            }
            other => other.into(),
        })
    }

    fn how_to_allow(&self, owner: &str) -> String {
        if self.app == owner {
            return "with access = \"role\" instances need a role of their own in `app_url`, whose rights the owner can hand out".to_owned();
        }
        let (app, owner) = (ident(&self.app), ident(owner));
        format!("ALTER ROLE {owner} CREATEROLE; GRANT {app} TO {owner} WITH ADMIN OPTION")
    }

    fn how_to_admit(&self) -> String {
        format!(
            "a pooler must ask the server for passwords (PgBouncer: auth_query, and no user= in [databases]), and pg_hba.conf \
             must let in whoever is a member of {} (write +{0} where its name stands)",
            self.app
        )
    }
}

/// A key of this kind may have any length: it does not happen.
fn underivable() -> Trouble {
    Trouble::Unplanned("no password could be derived from the secret of the state folder".to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::state::StateFolder;

    fn roles(url: &str) -> Result<Roles, Trouble> {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::open(&StateFolder::at(folder.path())).unwrap();
        let site = Site {
            rows: Vec::new(),
            url: "postgres://owner:secret@db/shop".to_owned(),
            scratch_url: None,
            home: "public".to_owned(),
            qualified: false,
            wal: None,
            migrations: PathBuf::new(),
        };
        Roles::new(&site, url, &"shop".parse().unwrap(), secret)
    }

    #[test]
    fn each_secret_has_roles_and_passwords_of_its_own() {
        let (one, other) =
            (roles("postgres://app@db/shop").unwrap(), roles("postgres://app@db/shop").unwrap());
        let login = one.login("0001_a").unwrap();
        assert!(login == one.login("0001_a").unwrap() && login.role.starts_with("tandem_0001_a_"));
        let others = other.login("0001_a").unwrap();
        assert!(login.role != others.role && login.password != others.password);
        assert_eq!((login.password.len(), one.name(&"x".repeat(99)).len()), (64, 63));
    }

    #[test]
    fn a_url_that_names_no_role_is_refused() {
        let refused = roles("postgres://db:6432/shop").err().unwrap().to_string();
        assert!(refused.contains("postgres://ROLE@"), "{refused}");
    }
}

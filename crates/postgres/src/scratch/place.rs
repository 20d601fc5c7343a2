//! What a database is like as a whole: encoding, locale, settings, the roles that it names.

use postgres::Client;
use tandem_schema::name::{ident, literal};

use crate::error::Error;

/// Settings whose stored values are lists of names, quoted already.
const LISTS: &[&str] = &[
    "search_path",
    "temp_tablespaces",
    "local_preload_libraries",
    "session_preload_libraries",
    "shared_preload_libraries",
];

fn version(client: &mut Client) -> Result<i32, Error> {
    Ok(client.query_one("SELECT current_setting('server_version_num')::int4", &[])?.try_get(0)?)
}

/// The same schema reads the same only on the same major version.
pub(super) fn same_version(source: &mut Client, target: &mut Client) -> Result<(), Error> {
    let (here, there) = (version(source)? / 10_000, version(target)? / 10_000);
    if here == there {
        return Ok(());
    }
    Err(Error::NotThere {
        what: format!("PostgreSQL {here} at --scratch-url"),
        help: format!("it is PostgreSQL {there}; a scratch copy must be on the database's own major version"),
    })
}

/// Encoding and locale, as `CREATE DATABASE` takes them.
pub(super) fn options(source: &mut Client) -> Result<String, Error> {
    let version = version(source)?;
    let (provider, locale, rules) = match version {
        170_000.. => ("datlocprovider::text", "datlocale", "daticurules"),
        160_000.. => ("datlocprovider::text", "daticulocale", "daticurules"),
        150_000.. => ("datlocprovider::text", "daticulocale", "NULL"),
        _ => ("'c'", "NULL", "NULL"),
    };
    let row = source.query_one(
        &format!(
            "SELECT pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text, {provider}, {locale}::text, {rules}::text
             FROM pg_database WHERE datname = current_database()"
        ),
        &[],
    )?;
    let text = |place: usize| row.try_get::<_, String>(place).map(|text| literal(&text));
    let mut options = format!("ENCODING {} LC_COLLATE {} LC_CTYPE {}", text(0)?, text(1)?, text(2)?);
    let (locale, rules): (Option<String>, Option<String>) = (row.try_get(4)?, row.try_get(5)?);
    let word = match row.try_get::<_, &str>(3)? {
        "i" => "ICU",
        "b" => "BUILTIN",
        _ => return Ok(options),
    };
    options.push_str(&format!(" LOCALE_PROVIDER {word}"));
    if let Some(locale) = locale {
        options.push_str(&format!(" {word}_LOCALE {}", literal(&locale)));
    }
    if let Some(rules) = rules {
        options.push_str(&format!(" ICU_RULES {}", literal(&rules)));
    }
    Ok(options)
}

/// The statements that give another database the settings of this one, and roles theirs in it.
pub(super) fn settings(source: &mut Client, target: &str) -> Result<Vec<String>, Error> {
    let rows = source.query(
        "SELECT r.rolname::text, s.setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
            LEFT JOIN pg_roles r ON r.oid = s.setrole
         WHERE d.datname = current_database() AND (s.setrole = 0 OR r.oid IS NOT NULL) ORDER BY r.rolname NULLS FIRST",
        &[],
    )?;
    let mut statements = Vec::new();
    for row in rows {
        let (role, config): (Option<String>, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
        let whose = match role {
            Some(role) => format!("ALTER ROLE {} IN DATABASE {}", ident(&role), ident(target)),
            None => format!("ALTER DATABASE {}", ident(target)),
        };
        for (key, value) in config.iter().filter_map(|pair| pair.split_once('=')) {
            let is_list = LISTS.contains(&key);
            let value = match value {
                "" => "''".to_owned(),
                value if is_list => value.to_owned(),
                value => literal(value),
            };
            let key: Vec<String> = key.split('.').map(ident).collect();
            statements.push(format!("{whose} SET {} TO {value}", key.join(".")));
        }
    }
    Ok(statements)
}

/// Whether there is a schema `public`: a new database has one.
pub(super) fn has_public(source: &mut Client) -> Result<bool, Error> {
    let row = source.query_one("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public')", &[])?;
    Ok(row.try_get(0)?)
}

/// Makes the roles that the database names on a server that lacks them, unable to log in.
pub(super) fn make_roles(source: &mut Client, target: &mut Client) -> Result<(), Error> {
    let rows = source.query(
        "SELECT DISTINCT r.rolname::text FROM pg_roles r
         WHERE r.oid = 10 OR r.oid IN (SELECT s.refobjid FROM pg_shdepend s JOIN pg_database d
            ON d.oid = s.dbid OR s.classid = 'pg_database'::regclass AND s.objid = d.oid
            WHERE d.datname = current_database() AND s.refclassid = 'pg_authid'::regclass)
           AND r.rolname !~ '^pg_'",
        &[],
    )?;
    for row in rows {
        let role: String = row.try_get(0)?;
        let known = target.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role])?;
        // Where that is not allowed, what would need the role is left out and told.
        if known.is_none()
            && let Err(why) = target.batch_execute(&format!("CREATE ROLE {} NOLOGIN", ident(&role)))
        {
            tracing::debug!(role, why = %Error::from(why), "a role is missing on the scratch server");
        }
    }
    Ok(())
}

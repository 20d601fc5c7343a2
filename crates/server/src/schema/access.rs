//! How an app is told which revision it is: by a URL whose `search_path` begins with the revision's lens, or by a role.
//!
//! Pure texts. The lens is also told as the application's name, by which clients of a revision are known. Tested in place;
//! with real clients in `crates/cli/tests/cli/schema`.

use tandem_schema::name::{ident, lens, literal};

/// Whose URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Of libpq, and of what understands its URLs.
    Libpq,
    /// Of the JDBC driver.
    Jdbc,
    /// Of Prisma: its `schema` stands before each name.
    Prisma,
}

/// A URL in its parts: scheme, what stands before the question mark, and the pairs behind it.
type Parts<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>);

fn parts(url: &str) -> Result<Parts<'_>, String> {
    let (scheme, rest) = url.split_once("://").ok_or("expected postgres://user@host/database")?;
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err("it must begin with postgres://".to_owned());
    }
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    Ok((scheme, before, query.split('&').filter_map(|pair| pair.split_once('=')).collect()))
}

/// The URL for an app of a revision.
///
/// # Errors
/// It is no URL.
pub fn url(database: &str, revision: &str, home: &str, form: Form) -> Result<String, String> {
    let (scheme, before, pairs) = parts(database)?;
    let lens = lens(revision);
    let path = format!("{lens},{}", word(home));
    Ok(match form {
        Form::Libpq => libpq(scheme, before, &pairs, &lens, &path),
        Form::Prisma => format!("{}&schema={}", libpq(scheme, before, &pairs, &lens, &path), encoded(&lens)),
        Form::Jdbc => jdbc(before, &pairs, Some((&lens, &path))),
    })
}

/// As whom an app of a revision connects. Both are plain words.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// The role.
    pub(crate) role: String,
    /// Its password.
    pub(crate) password: String,
}

/// The same for an app that is told its revision by a role: but for the login, the URL is as it was.
pub(crate) fn role_url(database: &str, revision: &str, login: &Login, form: Form) -> Result<String, String> {
    let (scheme, before, mut pairs) = parts(database)?;
    let place = before.rsplit_once('@').map_or(before, |(_, place)| place);
    let before = format!("{}:{}@{place}", login.role, login.password);
    let lens = lens(revision);
    pairs.retain(|(key, _)| !matches!(*key, "user" | "password" | "schema"));
    match form {
        Form::Jdbc => return Ok(jdbc(&before, &pairs, None)),
        Form::Prisma => pairs.push(("schema", &lens)),
        Form::Libpq => {}
    }
    let query: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    Ok(format!("{scheme}://{before}{mark}{}", query.join("&")))
}

fn libpq(scheme: &str, before: &str, pairs: &[(&str, &str)], lens: &str, path: &str) -> String {
    let written = |key: &str| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    // A blank would end the option: one in a name is kept by a backslash.
    let path = path.replace('\\', "\\\\").replace(' ', "\\ ");
    let option = encoded(&format!("-c search_path={path}"));
    let options = match written("options").filter(|options| !options.is_empty()) {
        Some(options) => format!("{options}%20{option}"),
        None => option,
    };
    let mut query: Vec<String> = pairs
        .iter()
        .filter(|(name, _)| !matches!(*name, "options" | "application_name" | "schema"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    query.push(format!("application_name={}", application(lens, written("application_name"))));
    query.push(format!("options={options}"));
    format!("{scheme}://{before}?{}", query.join("&"))
}

/// Where no lens and no path are told, the role knows them.
fn jdbc(before: &str, pairs: &[(&str, &str)], told: Option<(&str, &str)>) -> String {
    let (login, place) =
        before.rsplit_once('@').map_or((None, before), |(login, place)| (Some(login), place));
    let mut query = Vec::new();
    query.extend(told.map(|(_, path)| format!("currentSchema={}", encoded(path).replace("%2C", ","))));
    if let Some(login) = login {
        let (user, password) =
            login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
        query.push(format!("user={user}"));
        query.extend(password.map(|password| format!("password={password}")));
    }
    let mut name = None;
    for (key, value) in pairs {
        match *key {
            "application_name" => name = Some(*value),
            "user" | "password" | "sslmode" | "sslrootcert" | "options" => {
                query.push(format!("{key}={value}"));
            }
            "connect_timeout" => query.push(format!("connectTimeout={value}")),
            _ => {}
        }
    }
    let name = told.map(|(lens, _)| application(lens, name)).or_else(|| name.map(ToOwned::to_owned));
    query.extend(name.map(|name| format!("ApplicationName={name}")));
    format!("jdbc:postgresql://{place}?{}", query.join("&"))
}

/// The lens comes first: PostgreSQL cuts long names off.
fn application(lens: &str, written: Option<&str>) -> String {
    written.map_or_else(|| lens.to_owned(), |written| format!("{lens}%20{written}"))
}

/// A schema as `search_path` takes it: bare where that means the same.
fn word(schema: &str) -> String {
    let plain = schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !schema.starts_with(|c: char| c.is_ascii_digit());
    if plain { schema.to_owned() } else { ident(schema) }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// A role for the apps of one revision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Role<'a> {
    /// Its name.
    pub name: &'a str,
    /// The revision.
    pub revision: &'a str,
    /// The schema where the tables live.
    pub home: &'a str,
    /// The database in which it is so.
    pub database: &'a str,
    /// The app's role, whose rights it gets.
    pub member_of: Option<&'a str>,
    /// It may connect.
    pub login: bool,
    /// What the server is to know of its password. None: it has none.
    pub verifier: Option<&'a str>,
}

/// Statements that make a role, each of which can be repeated.
pub(crate) fn role(role: &Role<'_>) -> Vec<String> {
    let quoted = ident(role.name);
    let here = format!("ALTER ROLE {quoted} IN DATABASE {}", ident(role.database));
    let login = if role.login { "LOGIN" } else { "NOLOGIN" };
    let password = role.verifier.map(|verifier| format!(" PASSWORD {}", literal(verifier)));
    let mut statements = vec![
        format!(
            "DO $tandem$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}) \
             THEN CREATE ROLE {quoted}; END IF; END $tandem$",
            literal(role.name)
        ),
        format!("ALTER ROLE {quoted} {login}{}", password.unwrap_or_default()),
        format!("{here} RESET ALL"),
    ];
    if let Some(of) = role.member_of {
        statements.push(format!("GRANT {} TO {quoted}", ident(of)));
        statements.push(settings_of(of, &here));
        // From its login on it acts as the app's role: what it makes is that role's, as if there were no other.
        statements.push(format!("{here} SET role = {}", ident(of)));
    }
    statements.push(format!(
        "{here} SET search_path = {}, {}",
        ident(&lens(role.revision)),
        ident(role.home)
    ));
    statements
}

/// What the app's role has set for its sessions (limits of time, say) holds for the members of it only if it is set for each.
/// What only a superuser may set is left out where nobody may set it.
fn settings_of(app: &str, alter: &str) -> String {
    format!(
        "DO $tandem$ DECLARE setting record; BEGIN \
         FOR setting IN SELECT split_part(pair, '=', 1) AS key, substr(pair, strpos(pair, '=') + 1) AS value \
           FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS pair \
           WHERE r.rolname = {} AND s.setdatabase IN \
             (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())) \
           ORDER BY s.setdatabase \
         LOOP CONTINUE WHEN setting.key IN ('role', 'search_path'); \
           BEGIN EXECUTE {} || format(' SET %I = ', setting.key) || CASE WHEN setting.key IN \
             ('local_preload_libraries', 'session_preload_libraries', 'temp_tablespaces') \
             THEN setting.value ELSE quote_literal(setting.value) END; \
           EXCEPTION WHEN insufficient_privilege THEN NULL; END; \
         END LOOP; END $tandem$",
        literal(app),
        literal(alter)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_a_lens() {
        let libpq = |url: &str, home: &str| super::url(url, "0042_add_phone", home, Form::Libpq).unwrap();
        assert_eq!(
            libpq("postgres://me:p%40ss@db:5432/shop", "public"),
            "postgres://me:p%40ss@db:5432/shop?application_name=tandem_0042_add_phone&\
             options=-c%20search_path%3Dtandem_0042_add_phone%2Cpublic"
        );
        let written = libpq(
            "postgresql://db/shop?sslmode=require&options=-c%20work_mem%3D1MB&application_name=web&schema=public",
            "My shop",
        );
        assert_eq!(
            written,
            "postgresql://db/shop?sslmode=require&application_name=tandem_0042_add_phone%20web&\
             options=-c%20work_mem%3D1MB%20-c%20search_path%3Dtandem_0042_add_phone%2C%22My%5C%20shop%22"
        );
        assert!(url("mysql://db/x", "1", "public", Form::Libpq).is_err());
        let prisma =
            url("postgres://db/shop?schema=public", "0042_add_phone", "public", Form::Prisma).unwrap();
        assert!(prisma.ends_with("%2Cpublic&schema=tandem_0042_add_phone"), "{prisma}");
        let jdbc = url(
            "postgres://me:s%3Dt@db:5432/shop?sslmode=require&connect_timeout=3&gssencmode=disable",
            "0042_add_phone",
            "public",
            Form::Jdbc,
        );
        assert_eq!(
            jdbc.unwrap(),
            "jdbc:postgresql://db:5432/shop?currentSchema=tandem_0042_add_phone,public&user=me&password=s%3Dt&\
             sslmode=require&connectTimeout=3&ApplicationName=tandem_0042_add_phone"
        );
    }

    #[test]
    fn a_role_is_made_of_quoted_names() {
        let made = role(&Role {
            name: "tandem_1_a_c0ffee00",
            revision: "1_a",
            home: "my \"home",
            database: "shop",
            member_of: Some("App"),
            login: true,
            verifier: Some("SCRAM-SHA-256$…"),
        });
        assert_eq!(made.len(), 7);
        assert_eq!(made[1], "ALTER ROLE \"tandem_1_a_c0ffee00\" LOGIN PASSWORD 'SCRAM-SHA-256$…'");
        assert_eq!(made[3], "GRANT \"App\" TO \"tandem_1_a_c0ffee00\"");
        let here = "ALTER ROLE \"tandem_1_a_c0ffee00\" IN DATABASE \"shop\"";
        assert_eq!(made[5], format!("{here} SET role = \"App\""));
        assert_eq!(made[6], format!("{here} SET search_path = \"tandem_1_a\", \"my \"\"home\""));
    }

    #[test]
    fn a_role_takes_the_place_of_the_login_and_of_nothing_else() {
        let login = Login { role: "tandem_1_a_c0ffee00".to_owned(), password: "5e".to_owned() };
        let of = |url, form| role_url(url, "1_a", &login, form).unwrap();
        let url = "postgres://app:old%40@db:6432/shop?sslmode=require&schema=public&application_name=web";
        assert_eq!(
            of(url, Form::Libpq),
            "postgres://tandem_1_a_c0ffee00:5e@db:6432/shop?sslmode=require&application_name=web"
        );
        assert_eq!(
            of("postgresql://db/shop?user=app&password=old", Form::Libpq),
            "postgresql://tandem_1_a_c0ffee00:5e@db/shop"
        );
        assert!(
            of(url, Form::Prisma).ends_with("/shop?sslmode=require&application_name=web&schema=tandem_1_a")
        );
        assert_eq!(
            of(url, Form::Jdbc),
            "jdbc:postgresql://db:6432/shop?user=tandem_1_a_c0ffee00&password=5e&sslmode=require&ApplicationName=web"
        );
    }
}
